// A plugin with the example of the guide and features that behave as tests need.

import BelfryCore
import BelfryPluginKit
import FoundationEssentials

@main enum Main: Plugin {
    static let id = "probe"
    static let version = "1.2.3"
    static let features: [any Feature] = [Shout(), Count(), Prints(), Fails(), Waits(), Saves(), Resumes()]
}

struct Prints: Feature {
    let descriptor = FeatureDescriptor(id: "prints", title: "Prints where it should not")

    func process(_ params: JSONValue, _ context: FeatureContext) async throws -> TaskResult {
        print("::result {}")
        context.log(Array("noted\n".utf8))
        return .file(context.outputDirectory + "/a b.txt", mime: "text/plain")
    }
}

struct Fails: Feature {
    let descriptor = FeatureDescriptor(id: "fails", title: "Fails")

    func process(_ params: JSONValue, _ context: FeatureContext) async throws -> TaskResult {
        throw TaskFailure("busy", "The machine is busy.", fix: "Wait.", isRetryable: true)
    }
}

/// Reports twice in one moment, then works until it is cancelled.
struct Waits: Feature {
    let descriptor = FeatureDescriptor(id: "waits", title: "Waits")

    func process(_ params: JSONValue, _ context: FeatureContext) async throws -> TaskResult {
        context.progress(10, "first")
        context.progress(20, "second")
        context.progress(nil, "third")
        for await _ in AsyncStream<Void>(unfolding: { try? await Task.sleep(for: .seconds(3600)) }) {
            try Task.checkCancellation()
        }
        throw CancellationError()
    }
}

/// Saves as often as it is told to, in one moment, and ends as it is told to.
struct Saves: Feature {
    let descriptor = FeatureDescriptor(id: "saves", title: "Saves checkpoints")

    func process(_ params: JSONValue, _ context: FeatureContext) async throws -> TaskResult {
        for number in 1...(params["times"]?.int ?? 1) { context.saveCheckpoint(.int(number)) }
        switch params["then"]?.string {
        case "forget": context.saveCheckpoint(nil)
        case "fail": throw TaskFailure("full", "There is no room.")
        case "snooze": throw TaskSnooze(for: .milliseconds(1500))
        default: break
        }
        return TaskResult(value: context.checkpoint)
    }
}

/// Gives up halfway at first, and then makes a file of what it saved.
struct Resumes: Feature {
    let descriptor = FeatureDescriptor(id: "resumes", title: "Goes on later")

    func process(_ params: JSONValue, _ context: FeatureContext) async throws -> TaskResult {
        guard let saved = context.checkpoint?.string else {
            context.saveCheckpoint("halfway")
            throw TaskSnooze(for: .seconds(1), "In a moment.")
        }
        context.log(Array("goes on from \(saved)\n".utf8))
        let path = context.outputDirectory + "/saved.txt"
        try saved.write(toFile: path, atomically: true, encoding: .utf8)
        return .file(path, value: ["saved": .string(saved)])
    }
}
