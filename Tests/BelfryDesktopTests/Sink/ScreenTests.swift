// Popups as a person sees them: real servers on a virtual screen, and a real mouse.

import BelfryCore
import DesktopTesting
import Testing

@testable import BelfryDesktop

@Suite("Popups on a screen", .timeLimit(.minutes(2)), .serialized)
struct ScreenTests {
    /// Runs a sink on a desktop with `server`.
    private func onDesktop(
        _ server: DesktopServer = .dunst,
        _ body: (SinkBench, HeadlessDesktop) async throws -> Void
    ) async throws {
        let desktop = try await HeadlessDesktop.open(server)
        try await SinkBench.run(bus: desktop.bus) { bench in
            try await bench.connected()
            try await body(bench, desktop)
        }
        await desktop.close()
    }

    @Test("7. and 12. the bar grows with the percent and is gone with the outcome")
    func bar() async throws {
        try await onDesktop { bench, desktop in
            let id = try await bench.run()
            try await bench.progress(id, 100)
            let full = try await desktop.picture { $0.count(of: .bar) > 1000 }.count(of: .bar)
            try await bench.progress(id, 25)
            try await desktop.picture("a quarter of the bar") {
                abs(Double($0.count(of: .bar)) / Double(full) - 0.25) < 0.03
            }
            try await bench.complete(id)
            try await desktop.picture("a popup without a bar") { $0.count(of: .bar) == 0 && !$0.isBlank }
            #expect(try await desktop.popups(count: 1).count == 1)
        }
    }

    @Test("21. a mouse click on the button cancels the task", arguments: [DesktopServer.dunst, .xfce])
    func click(server: DesktopServer) async throws {
        try await onDesktop(server) { bench, desktop in
            let id = try await bench.run()
            // xfce's server would show a bar and nothing else, had it been given the value.
            try await bench.progress(id, 42)
            try await bench.sink.heard { $0.board.isSettled && $0.board.wanted(.task(id))?.percent == 42 }
            let popup = try await desktop.popups(count: 1)[0]
            if server == .xfce {
                try await desktop.picture { !$0.isBlank }
                // Its one button is at the lower right.
                let (right, bottom) = (popup.area.x + popup.area.width, popup.area.y + popup.area.height)
                try await desktop.click(x: right - 56, y: bottom - 30)
            } else {
                try await desktop.click(popup)
            }
            #expect(try await bench.control.calls(count: 1) == [.cancel(id)])
        }
    }

    @Test("26. dunst is killed: what runs is on the screen again when it is back")
    func killed() async throws {
        try await onDesktop { bench, desktop in
            let id = try await bench.run()
            try await bench.progress(id, 100)
            try await desktop.picture { $0.count(of: .bar) > 1000 }
            try await desktop.killServer()
            try await desktop.picture { $0.count(of: .bar) == 0 }
            try await desktop.restartServer()
            try await desktop.picture { $0.count(of: .bar) > 1000 }
        }
    }

    @Test("31. the bus is killed: the same")
    func busKilled() async throws {
        try await onDesktop { bench, desktop in
            let id = try await bench.run()
            try await bench.progress(id, 100)
            try await desktop.picture { $0.count(of: .bar) > 1000 }
            desktop.killBus()
            try await bench.log.line("no session bus")
            try await desktop.restartBus()
            try await desktop.restartServer()
            try await desktop.picture { $0.count(of: .bar) > 1000 }
            try await bench.complete(id)
            try await desktop.picture { $0.count(of: .bar) == 0 && !$0.isBlank }
        }
    }

    @Test("32. dunst hangs: work goes on, and there is one popup when it is back")
    func hung() async throws {
        try await onDesktop { bench, desktop in
            let id = try await bench.run()
            try await bench.progress(id, 100)
            try await desktop.picture { $0.count(of: .bar) > 1000 }
            desktop.pauseServer()
            for percent in 1...99 { try await bench.progress(id, Double(percent)) }
            try await bench.complete(id)
            desktop.resumeServer()
            try await desktop.picture { $0.count(of: .bar) == 0 && !$0.isBlank }
            #expect(try await desktop.popups(count: 1).count == 1)
        }
    }
}
