// What the buttons do. A click that comes too late is ignored; one that cannot be carried out says why in
// a popup, since the person who clicked looks at nothing else.

import BelfryCore
import DBus
import Logging

extension PopupDirector {
    func click(_ key: PopupKey, _ action: PopupAction, _ popup: Popup, _ token: String?) async {
        do {
            try await carryOut(key, action, popup, token)
        } catch let error as BelfryError where isTooLate(error, for: action) {
            logger.debug(
                "a click came too late",
                metadata: ["action": "\(action.rawValue)", "error": "\(error)"]
            )
        } catch {
            logger.warning(
                "a click could not be carried out",
                metadata: ["action": "\(action.rawValue)", "error": "\(error)"]
            )
            show(problem(error, popup), for: key)
        }
    }

    /// The task has moved on, or is gone: what was asked for has no meaning any more.
    private func isTooLate(_ error: BelfryError, for action: PopupAction) -> Bool {
        switch action {
        case .cancel, .retry, .retryFailed: error.code == .notAllowedNow || error.code == .notFound
        case .open, .showInFolder, .details, .openFolder, .activate: false
        }
    }

    private func carryOut(_ key: PopupKey, _ action: PopupAction, _ popup: Popup, _ token: String?)
        async throws
    {
        switch (key, action) {
        case (.task(let id), .cancel): try await parts.control.cancel(id)
        case (.batch(let id), .cancel): try await parts.control.cancel(batch: id)
        case (.task(let id), .retry): try await parts.control.retry(id, context: nil)
        case (.batch(let id), .retryFailed): try await parts.control.retryFailed(batch: id)
        case (.summary(let number), .retryFailed): await retryFailed(of: number)
        case (.task(let id), .open): try await open(try await files(of: id), token)
        case (.task(let id), .showInFolder): try await showInFolder(try await files(of: id), token)
        case (.task(let id), .details):
            guard let task = try await parts.control.task(id) else { return }
            show(planner.writer.details(of: task, replacing: popup), for: key)
        case (_, .openFolder):
            guard let directory = parts.configuration.resultsDirectory else { return }
            try await parts.opener.open(FileURI.make(directory), token: token)
        case (_, .activate):
            guard let program = popup.sender.desktopID else { return }
            try await activate(program, token)
        case (.test(let number), _): show(clicked(popup, action), for: .test(number))
        default: break
        }
    }

    private func retryFailed(of number: Int) async {
        guard let tally = planner.tallies[number] else { return }
        for id in tally.failures {
            do { try await parts.control.retry(id, context: nil) } catch {
                logger.debug("a task was not retried", metadata: ["task": "\(id)", "error": "\(error)"])
            }
        }
        for id in tally.failedBatches { _ = try? await parts.control.retryFailed(batch: id) }
    }

    // MARK: Files

    private func files(of id: TaskID) async throws -> [String] {
        let artifacts = try await parts.control.task(id)?.result?.artifacts ?? []
        let files = artifacts.compactMap { FileURI.path($0.uri) }
        guard !files.isEmpty else {
            throw BelfryError(.notFound, "The task has no files.")
        }
        return files
    }

    private func open(_ files: [String], _ token: String?) async throws {
        try await parts.opener.open(FileURI.make(files[0]), token: token)
    }

    /// Has the file manager select the files; without one that can, the directory is opened.
    private func showInFolder(_ files: [String], _ token: String?) async throws {
        let call = DBusMethodCall(
            destination: "org.freedesktop.FileManager1",
            path: "/org/freedesktop/FileManager1",
            interface: "org.freedesktop.FileManager1",
            member: "ShowItems",
            arguments: [.strings(files.map(FileURI.make)), .string(token ?? "")]
        )
        if let connection, (try? await connection.call(call)) != nil { return }
        let directory = files[0].split(separator: "/").dropLast().joined(separator: "/")
        try await parts.opener.open(FileURI.make("/" + directory), token: token)
    }

    // MARK: Programs

    /// Brings up the program that submitted the task, over D-Bus where it can be, else by starting it.
    private func activate(_ program: String, _ token: String?) async throws {
        if let connection, await hasBusName(program, connection) {
            let data = token.map {
                [("desktop-startup-id", DBusValue.string($0)), ("activation-token", .string($0))]
            }
            let call = DBusMethodCall(
                destination: program,
                path: "/" + program.map { $0 == "." ? "/" : $0 == "-" ? "_" : String($0) }.joined(),
                interface: "org.freedesktop.Application",
                member: "Activate",
                arguments: [.properties(data ?? [])]
            )
            if (try? await connection.call(call)) != nil { return }
        }
        try await parts.opener.launch(program, token: token)
    }

    private func hasBusName(_ program: String, _ connection: DBusConnection) async -> Bool {
        if parts.applications.entry(program)?.isDBusActivatable == true { return true }
        return (try? await connection.owner(of: program)) != nil
    }

    // MARK: What it says

    private func problem(_ error: any Error, _ popup: Popup) -> Popup {
        let said = error as? BelfryError
        var text = [said?.message ?? "\(error)", said?.fix.map { "Fix: \($0)" }].compactMap { $0 }
        // It may name a file.
        if parts.configuration.isPrivate { text = ["The log of the hub says why."] }
        return Popup(
            stage: .outcome,
            scope: popup.scope + "/problem",
            sender: planner.writer.own,
            title: "That did not work",
            body: PopupText.body(text.joined(separator: "\n")),
            urgency: .normal,
            category: .error,
            taskID: popup.taskID
        )
    }

    private func clicked(_ popup: Popup, _ action: PopupAction) -> Popup {
        var popup = popup
        popup.body = "You clicked \(action.rawValue): buttons work here."
        popup.scope += "/clicked"
        popup.buttons = []
        popup.defaultButton = nil
        popup.stage = .outcome
        popup.percent = nil
        return popup
    }
}
