// Servers that are killed, replaced, hung or not there, played by hand. The numbers are those of the
// checklist in Docs/Desktop.md.

import BelfryCore
import Testing

@testable import BelfryDesktop

@Suite("The popup board without a server that works")
struct BoardOutageTests {
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
