// belfry wait --when-done: sends the machine to sleep, or does anything else, once the queue is empty.

import ArgumentParser
import BelfryAPI
import BelfryCore
import Glibc

struct WhenDone {
    let session: Session
    /// `suspend`, `poweroff`, or a command for the shell.
    let action: String
    /// Seconds in which it can still be called off.
    let grace: Double

    /// Waits until nothing is pending or running, and stays so for the grace; then acts.
    func run() throws {
        while true {
            for name in try unfinished() {
                guard let id = TaskID(name) else { continue }
                try TaskFollower(session: session, isQuiet: true).followUnlessFinal(id)
            }
            guard try staysEmpty() else {
                Output.note("belfry: there is more to do; waiting on")
                continue
            }
            return try act()
        }
    }

    /// What can go on by itself.
    private func unfinished() throws -> [String] {
        try WaitCommand.open(session, where: WaitCommand.canEnd).compactMap { $0["id"]?.string }
    }

    /// A task that is submitted within the grace calls it off, and so does Ctrl-C.
    private func staysEmpty() throws -> Bool {
        // Opened before the look, so that nothing comes in between unseen.
        let events = try? session.client.open("GET", "/v1/events?last=0", accept: "application/x-ndjson")
        if try !unfinished().isEmpty { return false }
        guard grace > 0 else { return true }
        Output.note("belfry: all done; \(word) in \(Format.duration(grace)). Ctrl-C calls it off.")
        let end = SystemLeaseClock().now + .seconds(grace)
        while let events, events.isReadable(within: max(.zero, end - SystemLeaseClock().now)) {
            // The hub ends: who submits now starts another, which is looked at in the end.
            guard (try? events.nextLine()) != nil else { break }
            if try !unfinished().isEmpty { return false }
        }
        let rest = max(.zero, end - SystemLeaseClock().now).components
        var pause = timespec(tv_sec: Int(rest.seconds), tv_nsec: Int(rest.attoseconds / 1_000_000_000))
        nanosleep(&pause, nil)
        return try unfinished().isEmpty
    }

    private var word: String {
        switch action {
        case "suspend": "the machine is suspended"
        case "poweroff": "the machine is switched off"
        default: "running: \(action)"
        }
    }

    private func act() throws {
        let command = ["suspend", "poweroff"].contains(action) ? "exec systemctl \(action)" : action
        let words = ["/bin/sh", "-c", command]
        let pointers = words.map { strdup($0) } + [nil]
        Output.flush()
        execv("/bin/sh", pointers)
        throw BelfryError(.internalError, "Cannot run /bin/sh: \(String(cString: strerror(errno))).")
    }
}
