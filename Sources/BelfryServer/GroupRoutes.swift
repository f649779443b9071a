// Groups over HTTP: their limits, and whether their tasks start.

import BelfryCore
import Hummingbird

struct GroupRoutes {
    let backend: any HubBackend

    func add(to router: Router<HubContext>) {
        router.get("/v1/groups") { _, _ in Response(json: ["groups": try await backend.groups()]) }
        router.patch("/v1/groups/:name") { request, context in try await change(request, context) }
        router.delete("/v1/groups/:name") { _, context in
            let name = try context.name("name")
            try await backend.removeGroup(name)
            return Response(json: ["removed": .string(name)])
        }
    }

    /// `{"slots":2,"state":"paused"}`; `"slots":null` takes the limit away. The group `*` is all of them.
    private func change(_ request: Request, _ context: HubContext) async throws -> Response {
        let name = try context.name("name")
        let json = try await request.json(upTo: Limits.small)
        _ = try JSONReader(json, what: "group").members(among: ["slots", "state"])
        var slots: Int??
        if let value = json["slots"] {
            guard value.isNull || value.int != nil else {
                throw BelfryError(.invalidRequest, "'slots' must be a number or null.", pointer: "/slots")
            }
            slots = .some(value.int.map { Int(clamping: $0) })
        }
        var state: TaskGroup.State?
        if let value = json["state"] {
            state = value.string.flatMap(TaskGroup.State.init(rawValue:))
            guard state != nil else {
                throw BelfryError(
                    .invalidRequest,
                    "'state' must be open, paused or draining.",
                    pointer: "/state"
                )
            }
        }
        return Response(json: try await backend.setGroup(name, slots: slots, state: state).json)
    }
}
