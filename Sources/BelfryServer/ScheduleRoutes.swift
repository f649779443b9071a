// Schedules over HTTP.

import BelfryAPI
import BelfryCore
import Hummingbird

struct ScheduleRoutes {
    let backend: any HubBackend

    func add(to router: Router<HubContext>) {
        router.get("/v1/schedules") { _, _ in
            Response(json: [
                "schedules": .array(try await backend.schedules().map { try backend.json(of: $0) })
            ])
        }
        router.post("/v1/schedules") { request, _ in try await add(request) }
        router.get("/v1/schedules/:name") { _, context in
            let schedule = try await backend.schedule(try context.name("name"))
            return Response(json: try backend.json(of: schedule))
        }
        router.delete("/v1/schedules/:name") { _, context in
            let name = try context.name("name")
            try await backend.removeSchedule(name)
            return Response(json: ["removed": .string(name)])
        }
        for (word, isPaused) in [("pause", true), ("resume", false)] {
            router.post("/v1/schedules/:name/\(word)") { _, context in
                let schedule = try await backend.setPaused(isPaused, schedule: try context.name("name"))
                return Response(json: try backend.json(of: schedule))
            }
        }
        router.post("/v1/schedules/:name/run") { _, context in
            Response(
                json: try await backend.runNow(schedule: try context.name("name")).json,
                status: .created
            )
        }
    }

    /// `{"name":…,"rule":"0 7 * * mon-fri","zone":"Europe/Berlin","catchUp":"once","task":{…}}`
    private func add(_ request: Request) async throws -> Response {
        let json = try await request.json(upTo: Limits.task)
        let reader = JSONReader(json, what: "schedule")
        _ = try reader.members(among: ["name", "rule", "zone", "catchUp", "task"])
        let catchUp =
            try reader.optional("catchUp", "skip, once or all") {
                $0.string.flatMap(CatchUp.init(rawValue:))
            } ?? .once
        guard let task = json["task"] else { throw reader.error("task", "a submission") }
        let new: NewTask
        do { new = try await TaskRoutes(backend: backend).newTask(task) } catch var error as BelfryError {
            error.pointer = "/task\(error.pointer ?? "")"
            throw error
        }
        let schedule = try await backend.addSchedule(
            try reader.string("name"),
            rule: try reader.string("rule"),
            zone: try reader.string("zone"),
            catchUp: catchUp,
            task: new
        )
        return Response(json: try backend.json(of: schedule), status: .created)
    }
}
