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
            let reader = JSONReader(json, what: "request")
            _ = try reader.members(among: ["path"])
            let path = try reader.path("path")
            try await backend.backUp(to: path)
            return Response(json: ["path": .string(path)], status: .created)
        }
        router.get("/v1/features") { _, _ in Response(json: backend.features()) }
        // The id of a feature may contain slashes.
        router.get("/v1/features/**") { _, context in
            Response(json: try backend.feature(context.rest))
        }
        PluginRoutes(backend: backend).add(to: router)
    }
}
