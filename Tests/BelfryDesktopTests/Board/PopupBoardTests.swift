// Every order in which a server's answers and signals can come, played by hand. The numbers are those of
// the checklist in Docs/Desktop.md.

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

    @Test("21. a click on what has been replaced since, on an unknown id or key, is ignored")
    func stale() {
        var bench = BoardBench()
        let id = bench.put(.outcome([.retry], scope: "attempt 1 failed"))
        bench.advance(.seconds(1))
        bench.show(.progress(5, scope: "attempt 2"))
        let generation = bench.calls[0].generation
        bench.answer()
        #expect(bench.board.invoked(id, key(.retry, generation - 1)).isEmpty)
        #expect(bench.board.invoked(id, key(.retry, generation)).isEmpty, "this popup has no such button")
        #expect(bench.board.invoked(id, "retry").isEmpty)
        #expect(bench.board.invoked(id, "default").isEmpty)
        #expect(bench.board.invoked(id, "cancel@-1@2").isEmpty)
        #expect(bench.board.invoked(999, key(.cancel, generation)).isEmpty)
        #expect(
            bench.board.invoked(id, key(.cancel, generation)) == [
                .clicked(.running, .cancel, .progress(5, scope: "attempt 2"), activationToken: nil)
            ]
        )
    }

    @Test("21. the same buttons of another attempt are other buttons")
    func otherAttempt() {
        var bench = BoardBench()
        let id = bench.put(.progress(5, scope: "attempt 1"))
        bench.advance(.seconds(1))
        bench.show(.progress(5, scope: "attempt 2"))
        let generation = bench.calls[0].generation
        bench.answer()
        #expect(bench.board.invoked(id, key(.cancel, generation - 1)).isEmpty)
        #expect(bench.board.invoked(id, key(.cancel, generation)).count == 1)
    }

    @Test("21. progress does not make the buttons stale")
    func sameMeaning() {
        var bench = BoardBench()
        let id = bench.put(.progress(1))
        for percent in 2...9 {
            bench.advance(.seconds(1))
            bench.show(.progress(percent))
            bench.answer()
        }
        #expect(bench.board.invoked(id, key(.cancel, 1)).count == 1)
    }

    @Test("22. the same click delivered twice acts once")
    func twice() {
        var bench = BoardBench()
        let id = bench.put(.progress(1))
        #expect(bench.board.invoked(id, key(.cancel, 1)).count == 1)
        #expect(bench.board.invoked(id, key(.cancel, 1)).isEmpty)
        bench.advance(.seconds(1))
        bench.put(.progress(2))
        #expect(bench.board.invoked(id, key(.cancel, 1)).isEmpty)
    }

    @Test("24. a click that comes just before the answer that tells whose it is, is not lost")
    func early() {
        var bench = BoardBench()
        bench.show(.progress(1))
        bench.board.received(activationToken: "token", for: 1)
        #expect(bench.board.invoked(1, key(.cancel, 1)).isEmpty)
        let (_, notes) = bench.answer()
        #expect(notes == [.clicked(.running, .cancel, .progress(1), activationToken: "token")])
    }

    @Test("24. a click on new buttons that comes just before the update's answer is not lost")
    func earlyUpdate() {
        var bench = BoardBench()
        let id = bench.put(.progress(1))
        bench.advance(.seconds(1))
        bench.show(.outcome())
        let generation = bench.calls[0].generation
        #expect(bench.board.invoked(id, key(.retry, generation)).isEmpty)
        #expect(bench.answer().notes == [.clicked(.running, .retry, .outcome(), activationToken: nil)])
    }

    @Test("24. signals for popups of others are not kept")
    func foreignSignals() {
        var bench = BoardBench()
        _ = bench.board.invoked(77, key(.cancel, 1))
        #expect(bench.board.early.isEmpty)
        bench.show(.progress(1))
        for id in UInt32(100)..<1000 { _ = bench.board.invoked(id, "default") }
        #expect(bench.board.early.count == PopupBoard.earlySignals)
        bench.answer()
        #expect(bench.board.early.isEmpty)
    }

    @Test("25. the activation token goes with the click, once")
    func token() {
        var bench = BoardBench()
        let id = bench.put(.outcome([.open, .showInFolder]))
        bench.board.received(activationToken: "gnome-shell/1", for: id)
        let first = bench.board.invoked(id, key(.open, 1))
        #expect(
            first == [
                .clicked(.running, .open, .outcome([.open, .showInFolder]), activationToken: "gnome-shell/1")
            ]
        )
        let second = bench.board.invoked(id, key(.showInFolder, 1))
        #expect(
            second == [
                .clicked(.running, .showInFolder, .outcome([.open, .showInFolder]), activationToken: nil)
            ]
        )
    }

    @Test("26. after the server was killed what runs is shown anew, and what was over is not")
    func killed() {
        var bench = BoardBench()
        bench.put(.progress(1), for: .summary(1))
        bench.put(.outcome(), for: .summary(2))
        bench.board.serverChanged(isPresent: false)
        bench.send()
        #expect(bench.starts == 1)
        #expect(bench.calls.isEmpty)
        bench.board.serverChanged(isPresent: true)
        bench.send()
        #expect(bench.calls.map(\.ticket.key) == [.summary(1)])
        #expect(bench.calls.map(\.replacing) == [0])
    }

    @Test("26. an outcome that the dead server never confirmed is shown by the next")
    func unconfirmed() {
        var bench = BoardBench()
        bench.show(.outcome())
        let old = bench.calls.removeFirst()
        bench.board.serverChanged(isPresent: true)
        bench.send()
        #expect(bench.calls.map(\.popup) == [.outcome()])
        #expect(bench.board.answered(old.ticket, id: 5).isEmpty)
        bench.answer()
        #expect(bench.board.isSettled, "the old server's answer means nothing")
        #expect(bench.closed.isEmpty)
    }

    @Test("27. another owner without a gap: ids of the old one are forgotten, in both directions")
    func swapped() {
        var bench = BoardBench()
        let id = bench.put(.progress(1))
        bench.board.serverChanged(isPresent: true)
        bench.send()
        #expect(bench.calls.map(\.replacing) == [0])
        #expect(bench.board.closed(id, .dismissed).isEmpty)
        bench.board.withdraw(.running)
        bench.send()
        #expect(bench.closed.isEmpty, "an id of the old server could be somebody else's on the new one")
    }

    @Test("30. a server that cannot be started is not asked for again with every popup")
    func activation() {
        var bench = BoardBench(isPresent: false)
        bench.show(.progress(1))
        #expect(bench.starts == 1)
        #expect(bench.board.server.isReachable, "it may be on its way")
        bench.board.couldNotStart(at: bench.now)
        for percent in 2...100 {
            bench.advance(.seconds(5))
            bench.show(.progress(percent))
        }
        #expect(bench.starts == 1)
        #expect(!bench.board.server.isReachable)
        bench.advance(ServerCondition.startRetry)
        #expect(bench.starts == 2)
    }

    @Test("30. that nobody could be started does not count once somebody has come by himself")
    func cameMeanwhile() {
        var bench = BoardBench(isPresent: false)
        bench.show(.progress(1))
        bench.board.serverChanged(isPresent: true)
        bench.board.couldNotStart(at: bench.now)
        bench.send()
        #expect(bench.calls.map(\.popup) == [.progress(1)])
    }

    @Test("32. a hung server is asked with one popup at a time, more and more seldom, and recovers")
    func hung() {
        var bench = BoardBench()
        var tries = 0
        bench.show(.progress(1), for: .summary(1))
        bench.show(.progress(1), for: .summary(2))
        bench.fail(.timedOut)
        bench.fail(.timedOut)
        for _ in 0..<300 {
            bench.advance(.seconds(1))
            tries += bench.calls.count
            #expect(bench.calls.count <= 1)
            if !bench.calls.isEmpty { bench.fail(.timedOut) }
        }
        #expect((8...16).contains(tries))
        #expect(!bench.board.server.isReachable)
        bench.advance(.seconds(30))
        bench.answer()
        #expect(bench.board.server.isReachable)
        bench.answer()
        #expect(bench.board.isSettled)
    }

    @Test("32. a late answer is taken for the popup that still wants it")
    func lateAdopted() {
        var bench = BoardBench()
        bench.show(.progress(1))
        let call = bench.calls[0]
        bench.fail(.timedOut)
        _ = bench.board.answered(call.ticket, id: 7)
        bench.advance(.seconds(1))
        bench.show(.progress(2))
        #expect(bench.calls.map(\.replacing) == [7])
    }

    @Test("32. a late answer that nobody wants any more closes its popup")
    func lateOrphan() {
        var bench = BoardBench()
        bench.show(.progress(1))
        let call = bench.calls[0]
        bench.fail(.timedOut)
        bench.board.withdraw(.running)
        _ = bench.board.answered(call.ticket, id: 7)
        bench.send()
        #expect(bench.closed == [7])
    }

    @Test("32. of two answers to two tries one popup remains")
    func lateTwin() {
        var bench = BoardBench()
        bench.show(.progress(1))
        let first = bench.calls[0]
        bench.fail(.timedOut)
        bench.advance(.seconds(1))
        let second = bench.answer().id
        _ = bench.board.answered(first.ticket, id: second + 10)
        bench.send()
        #expect(bench.closed == [second + 10])
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

    @Test("while nothing is connected nothing is sent, and nothing is due")
    func disconnected() {
        var bench = BoardBench()
        bench.put(.progress(1))
        bench.board.serverLost()
        bench.show(.progress(2))
        bench.board.withdraw(.running)
        bench.show(.outcome(), for: .summary(1))
        bench.advance(.seconds(5))
        #expect(bench.calls.isEmpty)
        #expect(bench.closed.isEmpty)
        #expect(bench.board.nextDue(after: bench.now) == nil)
    }
}
