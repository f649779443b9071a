// Every order in which clicks can come, played by hand. The numbers are those of the checklist in
// Docs/Desktop.md.

import BelfryCore
import Testing

@testable import BelfryDesktop

@Suite("Clicks on the popup board")
struct BoardClickTests {
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

    @Test("24. a click on the whole popup that comes just before the update's answer is not lost")
    func earlyDefault() {
        var bench = BoardBench()
        let id = bench.put(.progress(1))
        bench.advance(.seconds(1))
        var outcome = Popup.outcome()
        outcome.defaultButton = .details
        bench.show(outcome)
        #expect(bench.board.invoked(id, PopupActionKey.default).isEmpty)
        #expect(bench.answer().notes == [.clicked(.running, .details, outcome, activationToken: nil)])
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
}
