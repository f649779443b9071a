// The service inside another program: it comes and goes as one, and keeps what it was given.

import BelfryCore
import BelfryService
import BelfryTesting
import Logging
import ServiceLifecycle
import Testing

@Suite("An embedded hub", .timeLimit(.minutes(1)))
struct EmbeddedHubTests {
    private struct Broken: Error {}

    private func hub(
        _ features: [any Feature],
        sinks: [any Sink] = [],
        in directory: TemporaryDirectory
    ) async throws -> EmbeddedHub {
        var configuration = EmbeddedHub.Configuration()
        configuration.logger = Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }
        return try await EmbeddedHub(
            directory: directory.path,
            features: features,
            sinks: sinks,
            configuration: configuration
        ) { committed in InMemoryTaskStore(didCommitEvents: { committed([]) }) }
    }

    @Test("runs tasks for as long as its closure takes, and its sinks have every event when it has ended")
    func whole() async throws {
        let directory = try TemporaryDirectory()
        let sink = RecordingSink("probe")
        let hub = try await hub([ClosureFeature("work")], sinks: [sink], in: directory)
        let task = try await hub.run { service in
            try await hub.finished(try await service.addTask(NewTask(featureID: "work")).task.id)
        }
        #expect(task.status == .completed)
        #expect(sink.positions == [1, 2, 3])
        let error = await #expect(throws: BelfryError.self) {
            _ = try await hub.service.addTask(NewTask(featureID: "work"))
        }
        #expect(error?.code == .shuttingDown)
    }

    @Test("ends in order when its closure throws, and says of a task that there is none")
    func failure() async throws {
        let directory = try TemporaryDirectory()
        let hub = try await hub([], in: directory)
        let id = IDGenerator().taskID(at: SystemWallClock().now)
        let code = try await hub.run { _ in
            do {
                _ = try await hub.finished(id)
                return BelfryError.Code.internalError
            } catch let error as BelfryError { return error.code }
        }
        #expect(code == .notFound)
        await #expect(throws: Broken.self) { try await hub.run { _ in throw Broken() } }
    }

    @Test("is a service of its program's group, and ends with it")
    func service() async throws {
        let directory = try TemporaryDirectory()
        let gate = Gate()
        let hub = try await hub(
            [
                ClosureFeature("waits") { _, _ in
                    try await gate.wait()
                    return TaskResult()
                }
            ],
            in: directory
        )
        let logger = Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }
        let group = ServiceGroup(configuration: ServiceGroupConfiguration(services: [hub], logger: logger))
        try await withThrowingTaskGroup(of: Void.self) { tasks in
            tasks.addTask { try await group.run() }
            let id = try await hub.service.addTask(NewTask(featureID: "waits")).task.id
            gate.open()
            #expect(try await hub.finished(id).status == .completed)
            await group.triggerGracefulShutdown()
            try await tasks.waitForAll()
        }
    }
}
