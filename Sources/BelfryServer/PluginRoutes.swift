// Plugins over HTTP: what there is, and what people do with them.

import BelfryCore
import Hummingbird

struct PluginRoutes {
    let backend: any HubBackend

    func add(to router: Router<HubContext>) {
        router.get("/v1/plugins") { _, _ in Response(json: backend.plugins()) }
        router.get("/v1/plugins/:id") { _, context in
            Response(json: try backend.plugin(try context.name("id")))
        }
        router.post("/v1/plugins") { request, _ in
            Response(json: try await backend.addPlugin(try await files(request)), status: .created)
        }
        router.post("/v1/plugins/inspect") { request, _ in
            Response(json: try backend.inspectPlugin(directory: try await files(request).directory))
        }
        router.post("/v1/plugins/scan") { _, _ in Response(json: try await backend.scanPlugins()) }
        router.delete("/v1/plugins/:id") { _, context in
            Response(json: try await backend.removePlugin(try context.name("id")))
        }
        router.post("/v1/plugins/:id/compare") { request, context in
            let directory = try await files(request).directory
            return Response(json: try backend.comparePlugin(try context.name("id"), directory: directory))
        }
        router.post("/v1/plugins/:id/update") { request, context in
            let files = try await files(request)
            return Response(json: try await backend.updatePlugin(try context.name("id"), files))
        }
        for (word, isEnabled) in [("enable", true), ("disable", false)] {
            router.post("/v1/plugins/:id/\(word)") { request, context in
                try await set(isEnabled, request, try context.name("id"))
            }
        }
    }

    private func set(_ isEnabled: Bool, _ request: Request, _ id: String) async throws -> Response {
        let reader = JSONReader(try await request.json(upTo: Limits.small), what: "request")
        _ = try reader.members(among: ["confirmed"])
        let isConfirmed = try reader.optionalBool("confirmed") ?? false
        return Response(
            json: try await backend.setPlugin(id, isEnabled: isEnabled, isConfirmed: isConfirmed)
        )
    }

    private func files(_ request: Request) async throws -> PluginFiles {
        let json = try await request.json(upTo: Limits.small)
        let reader = JSONReader(json, what: "request")
        _ = try reader.members(among: ["directory", "link", "digest", "from"])
        let directory = try reader.path("directory")
        return PluginFiles(
            directory: directory,
            isLinked: try reader.optionalBool("link") ?? false,
            digest: try reader.optionalString("digest"),
            origin: try reader.optional("from", "an object") { $0.object.map(JSONValue.object) }
        )
    }
}
