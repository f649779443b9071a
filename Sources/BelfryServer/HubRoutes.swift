// The hub itself over HTTP: what it offers, how it is, and how to end it.

import BelfryCore
import Hummingbird

struct HubRoutes {
    let backend: any HubBackend

    func add(to router: Router<HubContext>) {
        router.get("/healthz") { _, _ in Response(json: ["ok": true]) }
        router.get("/readyz") { _, _ in
            _ = try await backend.status()
            return Response(json: ["ok": true])
        }
        // Where Prometheus looks for it.
        router.get("/metrics") { _, _ in Response(metrics: try await backend.metrics()) }
        router.get("/v1/version") { _, _ in Response(json: backend.version()) }
        router.get("/v1/status") { _, _ in Response(json: try await backend.status()) }
        router.post("/v1/stop") { _, _ in
            backend.stop()
            return Response(json: ["stopping": true], status: .accepted)
        }
        router.post("/v1/backup") { request, _ in
            let json = try await request.json(upTo: Limits.small)
            let path = try JSONReader(json, what: "request").string("path")
            guard path.hasPrefix("/"), !path.utf8.contains(0) else {
                throw BelfryError(.invalidRequest, "The path must be absolute.", pointer: "/path")
            }
            try await backend.backUp(to: path)
            return Response(json: ["path": .string(path)], status: .created)
        }
        router.get("/v1/features") { _, _ in Response(json: backend.features()) }
        // The id of a feature may contain slashes.
        router.get("/v1/features/**") { _, context in
            Response(json: try backend.feature(context.rest))
        }
        router.get("/v1/plugins") { _, _ in Response(json: backend.plugins()) }
        router.post("/v1/plugins") { request, _ in try await addPlugin(request) }
        router.delete("/v1/plugins/:id") { _, context in
            Response(json: try await backend.removePlugin(try context.name("id")))
        }
        for (word, isEnabled) in [("enable", true), ("disable", false)] {
            router.post("/v1/plugins/:id/\(word)") { _, context in
                let id = try context.name("id")
                return Response(json: try await backend.setPlugin(id, isEnabled: isEnabled))
            }
        }
    }

    private func addPlugin(_ request: Request) async throws -> Response {
        let json = try await request.json(upTo: Limits.small)
        let directory = try JSONReader(json, what: "request").string("directory")
        let link = json["link"]?.bool ?? false
        return Response(json: try await backend.addPlugin(directory: directory, link: link), status: .created)
    }
}
