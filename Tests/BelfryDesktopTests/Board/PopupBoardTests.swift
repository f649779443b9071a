// Every order in which a server's answers can come, played by hand. The numbers are those of the checklist in
// Docs/Desktop.md.

import BelfryCore
import OrderedCollections
import Testing

@testable import BelfryDesktop

@Suite("The popup board")
struct PopupBoardTests {
    @Test("3. the returned id is kept, also when it is not the one that was replaced")
    func newID() {
        var bench = BoardBench()
        let first = bench.put(.progress(1))
        bench.advance(.seconds(1))
        bench.show(.progress(2))
        #expect(bench.calls.map(\.replacing) == [first])
        let second = bench.answer(newID: true).id
        #expect(second != first)
        bench.advance(.seconds(1))
        bench.show(.progress(3))
        #expect(bench.calls.map(\.replacing) == [second])
        bench.answer()
        #expect(bench.board.closed(first, .dismissed).isEmpty, "the old id is nobody's")
        #expect(bench.board.closed(second, .dismissed) == [.closed(.running, .progress, .dismissed)])
    }

    @Test("4. updates before the first answer make one popup")
    func oneFirstCall() {
        var bench = BoardBench()
        for percent in 1...50 {
            bench.show(.progress(percent))
            bench.advance(.seconds(1))
        }
        #expect(bench.calls.count == 1)
        let id = bench.answer().id
        #expect(bench.calls.map(\.replacing) == [id])
        #expect(bench.calls.first?.popup == .progress(50))
    }

    @Test("5. one call in flight for a popup, the newest state wins, the last one always comes")
    func latestWins() {
        var bench = BoardBench()
        bench.show(.progress(1))
        bench.show(.progress(2))
        bench.show(.outcome())
        bench.show(.outcome([.retry]))
        #expect(bench.calls.count == 1)
        bench.answer()
        bench.advance(.seconds(1))
        #expect(bench.calls.map(\.popup) == [.outcome([.retry])])
        bench.answer()
        bench.advance(.seconds(1))
        #expect(bench.calls.isEmpty)
        #expect(bench.board.isSettled)
    }

    @Test("5. other popups do not wait for one that is not answered")
    func independent() {
        var bench = BoardBench()
        bench.show(.progress(1), for: .summary(1))
        bench.show(.progress(1), for: .summary(2))
        #expect(bench.calls.count == 2)
    }

    @Test("6. a popup that is withdrawn before its answer is closed as soon as the id is known")
    func earlyWithdrawal() {
        var bench = BoardBench()
        bench.show(.progress(1))
        bench.board.withdraw(.running)
        bench.send()
        #expect(bench.closed.isEmpty)
        let id = bench.answer().id
        #expect(bench.closed == [id])
        #expect(bench.board.isSettled)
    }

    @Test("7. at most 4 updates a second, and the last value is shown")
    func rate() {
        var bench = BoardBench()
        var sent = 0
        for step in 0..<10_000 {
            bench.now += .microseconds(100)
            bench.show(.progress(step / 100))
            sent += bench.calls.count
            while !bench.calls.isEmpty { bench.answer() }
        }
        #expect(sent == 4)
        bench.advance(.milliseconds(250))
        #expect(bench.calls.map(\.popup) == [.progress(99)])
    }

    @Test("7. the next update has a time to be sent at, and nothing is due when nothing changes")
    func nextDue() {
        var bench = BoardBench()
        #expect(bench.board.nextDue(after: bench.now) == nil)
        bench.put(.progress(1))
        #expect(bench.board.nextDue(after: bench.now) == nil)
        bench.show(.progress(2))
        #expect(bench.board.nextDue(after: bench.now) == bench.now + .milliseconds(250))
    }

    @Test("8. nothing is sent when nothing has changed")
    func unchanged() {
        var bench = BoardBench()
        bench.put(.progress(1))
        for _ in 0..<10 {
            bench.show(.progress(1))
            bench.advance(.seconds(1))
        }
        #expect(bench.calls.isEmpty)
        bench.board.show(.progress(2), for: .running)
        bench.board.show(.progress(1), for: .running)
        bench.advance(.seconds(1))
        #expect(bench.calls.isEmpty, "a change that was taken back is none")
    }

    @Test("9. too many for the server: the id stays, and the newest state follows after a second")
    func excess() {
        var bench = BoardBench()
        let id = bench.put(.progress(1))
        bench.advance(.seconds(1))
        bench.show(.progress(2))
        bench.fail(.excess)
        bench.show(.progress(3))
        bench.advance(.milliseconds(999))
        #expect(bench.calls.isEmpty)
        bench.advance(.milliseconds(1))
        #expect(bench.calls.map(\.popup) == [.progress(3)])
        #expect(bench.calls.map(\.replacing) == [id])
        #expect(bench.board.server.isReachable)
    }

    @Test(
        "12. the outcome replaces the progress popup under the same id, without a bar and with other buttons"
    )
    func completion() {
        var bench = BoardBench()
        let id = bench.put(.progress(99))
        bench.advance(.seconds(1))
        bench.show(.outcome())
        #expect(bench.calls.map(\.replacing) == [id])
        #expect(bench.calls.first?.popup.percent == nil)
        #expect(bench.calls.first?.popup.buttons == [.retry, .details])
    }

    @Test("13. after the person dismissed the progress popup its outcome is a new one")
    func dismissed() {
        var bench = BoardBench()
        let id = bench.put(.progress(1))
        #expect(bench.board.closed(id, .dismissed) == [.closed(.running, .progress, .dismissed)])
        bench.advance(.seconds(1))
        #expect(bench.calls.isEmpty)
        bench.show(.outcome())
        #expect(bench.calls.map(\.replacing) == [0])
    }

    @Test("13. dismissed while an update was on its way: what that makes is closed")
    func dismissedInFlight() {
        var bench = BoardBench()
        let id = bench.put(.progress(1))
        bench.advance(.seconds(1))
        bench.show(.progress(2))
        _ = bench.board.closed(id, .dismissed)
        let again = bench.answer().id
        #expect(bench.closed == [again])
    }

    @Test("13. dismissed while the outcome was on its way: the outcome stays")
    func dismissedBeforeOutcome() {
        var bench = BoardBench()
        let id = bench.put(.progress(1))
        bench.advance(.seconds(1))
        bench.show(.outcome())
        _ = bench.board.closed(id, .dismissed)
        bench.answer()
        bench.advance(.seconds(1))
        #expect(bench.closed.isEmpty)
        #expect(bench.board.wanted(.running) == .outcome())
    }

    @Test("a popup that the server refuses is not sent again and again")
    func refused() {
        var bench = BoardBench()
        bench.show(.outcome())
        bench.fail(.refused("wrong"))
        bench.advance(.seconds(60))
        #expect(bench.calls.isEmpty)
        #expect(bench.board.isSettled)
    }

    @Test("outcomes are remembered for their clicks, but not without bound")
    func bound() {
        var bench = BoardBench()
        for number in 1...(PopupBoard.rememberedOutcomes + 100) {
            bench.put(.outcome(), for: .summary(number))
        }
        #expect(bench.board.slots.count <= PopupBoard.rememberedOutcomes + 1)
        #expect(bench.board.wanted(.summary(1)) == nil)
    }
}
