// The plugin.json of a program that knows its features itself: written from them, it cannot say anything else.

import BelfryCore
import Glibc

struct PluginManifestText {
    let json: JSONValue

    /// - Parameter program: as it was called.
    init(of plugin: any Plugin.Type, wire: PluginWire, program: String) {
        var runner: JSONObject = [
            "protocol": .string(wire.rawValue),
            "command": .string("${plugin_dir}/" + Self.place(of: program)),
        ]
        switch wire {
        case .exec: runner["args"] = ["--exec"]
        // Swift's own cancellation reaches the feature, so that the process can be kept.
        case .mcp: runner["stops_when_cancelled"] = true
        }
        var object: JSONObject = [
            "manifest_version": 1, "id": .string(plugin.id), "version": .string(plugin.version),
            "name": .string(plugin.name),
        ]
        if !plugin.summary.isEmpty { object["summary"] = .string(plugin.summary) }
        object["kind"] = "feature"
        object["runner"] = .object(runner)
        object["features"] = .array(plugin.features.map { Self.entry($0.descriptor) })
        json = Self.laying(.object(plugin.manifest), over: .object(object))
    }

    /// Where the program is, seen from the directory that it was called in: there plugin.json is to lie.
    private static func place(of program: String) -> String {
        var path = program
        if let here = getcwd(nil, 0) {
            let directory = String(cString: here) + "/"
            free(here)
            if path.hasPrefix(directory) { path = String(path.dropFirst(directory.count)) }
        }
        if path.hasPrefix("./") { path = String(path.dropFirst(2)) }
        let isBelow = path.contains("/") && !path.hasPrefix("/") && !path.hasPrefix("../")
        return isBelow ? path : String(path.split(separator: "/").last ?? "plugin")
    }

    private static func entry(_ feature: FeatureDescriptor) -> JSONValue {
        var object: JSONObject = ["id": .string(feature.id), "title": .string(feature.title)]
        if !feature.summary.isEmpty { object["summary"] = .string(feature.summary) }
        object["params"] = feature.paramsSchema
        if !feature.needs.isDefault { object["needs"] = feature.needs.json }
        var timeouts = JSONObject()
        timeouts.set("idle_s", feature.timeouts.idle.map { .double($0.seconds) })
        timeouts.set("total_s", feature.timeouts.attempt.map { .double($0.seconds) })
        if !timeouts.isEmpty { object["timeouts"] = .object(timeouts) }
        if feature.retry != .never { object["retry"] = retry(feature.retry) }
        if feature.onInterrupt != .rerun { object["on_interrupt"] = .string(feature.onInterrupt.rawValue) }
        object.set("concurrency", feature.concurrency.map { .int(Int64($0)) })
        if !feature.makesFiles { object["makes_files"] = false }
        return .object(object)
    }

    private static func retry(_ policy: RetryPolicy) -> JSONValue {
        var object: JSONObject = [
            "max_attempts": .int(Int64(policy.maxAttempts)),
            "initial_delay_s": .double(policy.initialDelay.seconds),
            "max_delay_s": .double(policy.maxDelay.seconds), "multiplier": .double(policy.multiplier),
            "jitter": .double(policy.jitter),
        ]
        if !policy.retryOn.isEmpty { object["retry_on"] = .array(policy.retryOn.map { .string($0) }) }
        if !policy.giveUpOn.isEmpty { object["give_up_on"] = .array(policy.giveUpOn.map { .string($0) }) }
        return .object(object)
    }

    /// Objects are laid over each other member by member, and lists whose items have ids item by item.
    private static func laying(_ top: JSONValue, over bottom: JSONValue) -> JSONValue {
        if let list = laying(top.array ?? [], over: bottom.array ?? []) { return list }
        guard let members = top.object, var object = bottom.object else { return top }
        for (key, value) in members { object[key] = object[key].map { laying(value, over: $0) } ?? value }
        return .object(object)
    }

    private static func laying(_ changes: [JSONValue], over items: [JSONValue]) -> JSONValue? {
        guard !changes.isEmpty, changes.allSatisfy({ $0["id"] != nil }) else { return nil }
        let changed = items.map { item in
            changes.first { $0["id"] == item["id"] }.map { laying($0, over: item) } ?? item
        }
        return .array(changed + changes.filter { change in !items.contains { $0["id"] == change["id"] } })
    }
}
