// Sinks over HTTP: how they are, and what becomes of the events that they put aside.

import BelfryCore
import Hummingbird

struct SinkRoutes {
    let backend: any HubBackend

    func add(to router: Router<HubContext>) {
        router.get("/v1/sinks") { _, _ in Response(json: ["sinks": backend.sinks()]) }
        router.post("/v1/sinks/:name/test") { _, context in
            Response(json: try await backend.testSink(try context.name("name")))
        }
        router.get("/v1/sinks/:name/parked") { _, context in
            Response(json: ["parked": try await backend.parkedEvents(of: try context.name("name"))])
        }
        router.post("/v1/sinks/:name/parked/replay") { request, context in
            let positions = try await positions(request)
            return Response(
                json: try await backend.replayParked(positions, of: try context.name("name"))
            )
        }
        router.post("/v1/sinks/:name/parked/drop") { request, context in
            let positions = try await positions(request)
            let dropped = try await backend.dropParked(positions, of: try context.name("name"))
            return Response(json: ["dropped": .array(dropped.map { .int($0) })])
        }
    }

    /// `{"positions":[4,9]}` or `{"all":true}`, which is nil.
    private func positions(_ request: Request) async throws -> [Int64]? {
        let json = try await request.json(upTo: Limits.task)
        let reader = JSONReader(json, what: "request")
        _ = try reader.members(among: ["positions", "all"])
        if try reader.optionalBool("all") == true, json["positions"] == nil { return nil }
        let positions = json["positions"]?.array?.compactMap(\.int) ?? []
        guard !positions.isEmpty, positions.count == json["positions"]?.array?.count else {
            throw BelfryError(
                .invalidRequest,
                "Which events are meant is not said.",
                fix: "Send {\"positions\": [4, 9]} or {\"all\": true}.",
                pointer: "/positions"
            )
        }
        return positions
    }
}
