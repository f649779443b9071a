// The sinks as the API sees them, and the events that they put aside.

import BelfryCore
import BelfryDesktop
import BelfrySQLite
import BelfryServer
import BelfryService

extension Hub {
    func sinks() -> JSONValue {
        .array(
            parts.sinks.runners.map { runner in
                let status = runner.status
                var object = status.json.object ?? [:]
                // What does not come back by itself, such as an observer that was set aside.
                let fix = parts.plugins.observerSinks.standing(of: status.name)?.fix
                object.set("fix", fix.map { .string($0) })
                return .object(object)
            }
        )
    }

    func testSink(_ name: String) async throws -> JSONValue {
        if let desktop = parts.desktop, desktop.name == name { return try await desktop.test().json }
        if let report = try await parts.plugins.tryObserver(name) { return report }
        let isThere = parts.sinks[name] != nil
        throw BelfryError(
            .notFound,
            isThere ? "The sink '\(name)' has nothing to show." : "There is no sink '\(name)'.",
            fix: name == "desktop"
                ? "Switch popups on: enabled = true below [sinks.desktop] in the configuration."
                : "See: belfry sink list"
        )
    }

    func parkedEvents(of name: String) async throws -> JSONValue {
        let parked = try await parts.store.parkedEvents(of: name)
        // Also of one that does not run now, such as a disabled plugin.
        if parked.isEmpty, parts.sinks[name] == nil { throw unknownSink(name) }
        var list: [JSONValue] = []
        for event in parked {
            var object: JSONObject = [
                "position": .int(event.position), "reason": .string(event.reason),
                "time": .string(event.time.description),
            ]
            let record = try await parts.store.events(after: event.position - 1, limit: 1).events.first
            if let record, record.position == event.position {
                object["event"] = try? JSONValue(parsing: record.json)
            }
            list.append(.object(object))
        }
        return .array(list)
    }

    func replayParked(_ positions: [Int64]?, of name: String) async throws -> JSONValue {
        guard let runner = parts.sinks[name] else { throw unknownSink(name) }
        let replay = try await runner.replay(positions)
        func list(_ positions: [Int64]) -> JSONValue { .array(positions.map { .int($0) }) }
        var object: JSONObject = [
            "delivered": list(replay.delivered), "rejected": list(replay.rejected), "gone": list(replay.gone),
        ]
        object.set("stopped", replay.stopped.map { .string($0) })
        return .object(object)
    }

    func dropParked(_ positions: [Int64]?, of name: String) async throws -> [Int64] {
        if let runner = parts.sinks[name] { return try await runner.drop(positions) }
        return try await SinkRunner.drop(positions, of: name, in: parts.store)
    }

    private func unknownSink(_ name: String) -> BelfryError {
        BelfryError(
            .notFound,
            "There is no sink '\(name)'.",
            fix: parts.plugins.isObserver(name)
                ? "Switch it on: belfry plugin enable \(name)" : "See: belfry sink list"
        )
    }
}

extension SinkStatus {
    var json: JSONValue {
        var object: JSONObject = ["name": .string(name), "condition": .string(condition.rawValue)]
        object.set("cursor", cursor.map { .string($0.description) })
        object.set("lag", lag.map { .int($0) })
        object["parked"] = .int(Int64(parked))
        object.set("lastError", lastError.map { .string($0) })
        object.set("remark", remark.map { .string($0) })
        return .object(object)
    }
}
