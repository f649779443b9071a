// Belfry inside a program: its tasks survive a crash of the program, and its events go where it wants them.

import BelfryCore
import BelfryPluginKit
import BelfrySQLite
import BelfryService

struct Greet: TypedFeature {
    struct Params: Codable {
        var name: String
        var times: Int
    }

    let descriptor = FeatureDescriptor(
        id: "greet",
        title: "Greets somebody",
        params: Params.self,
        ["name": .init("Whom"), "times": .init("How often", default: 1, in: 1...9)]
    )

    func process(_ params: Params, _ context: FeatureContext) async throws -> TaskResult {
        for time in 1...params.times {
            context.progress(Double(100 * time / params.times), "greeting \(time)")
        }
        return TaskResult(value: ["greeting": .string("Hello, \(params.name)!")])
    }
}

struct Printer: Sink {
    let name = "printer"

    func deliver(_ batch: SinkBatch) async throws {
        for record in batch.events {
            let event = try record.event()
            print("event", record.position, event.kind.rawValue, "#\(event.task?.number ?? 0)")
        }
    }
}

@main enum Main {
    static func main() async throws {
        let directory = CommandLine.arguments.dropFirst().first ?? "."
        let hub = try await EmbeddedHub(directory: directory, features: [Greet()], sinks: [Printer()]) {
            committed in
            var configuration = SQLiteTaskStore.Configuration(path: directory + "/tasks.sqlite")
            configuration.didCommitEvents = committed
            return try await SQLiteTaskStore.open(configuration)
        }
        try await hub.run { service in
            for name in ["Ada", "Grace"] {
                let task = try await service.addTask(
                    NewTask(featureID: "greet", params: ["name": .string(name), "times": 2])
                ).task
                let done = try await hub.finished(task.id)
                print(done.status.rawValue, done.result?.value?["greeting"]?.string ?? "")
            }
        }
    }
}
