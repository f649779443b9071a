// The features of a manifest: what tasks can ask for.

import BelfryCore

extension PluginManifest {
    static func readFeatures(_ fields: ManifestFields, pluginID: String) -> [FeatureEntry] {
        var entries: [FeatureEntry] = []
        for members in fields.objects("features") {
            guard let entry = readFeature(members, pluginID: pluginID) else { continue }
            if entries.contains(where: { $0.id == entry.id }) {
                members.mistake(
                    "id",
                    "appears twice: \(entry.id)",
                    fix: "Give each feature an id of its own."
                )
            }
            entries.append(entry)
        }
        return entries
    }

    private static func readFeature(_ members: ManifestFields, pluginID: String) -> FeatureEntry? {
        let id = members.string("id", isRequired: true)
        if let id, !PluginName.isFeatureID(id, of: pluginID) {
            members.mistake(
                "id",
                "is not a feature's id: \(JSONValue.string(id).excerpt)",
                fix: "Lower-case letters, digits, '-', '_' and '.', starting with a letter or digit; "
                    + "a '/' only after the plugin's id; at most 128 characters."
            )
        }
        var entry = FeatureEntry(id: id ?? "", title: members.string("title"))
        entry.summary = members.string("summary") ?? ""
        entry.tool = members.string("tool")
        entry.onInterrupt = members.choice("on_interrupt", InterruptPolicy.self) ?? entry.onInterrupt
        entry.concurrency = members.int("concurrency", in: 1...1000)
        entry.needs = readNeeds(members)
        entry.makesFiles = members.bool("makes_files") ?? entry.makesFiles
        if let timeouts = members.object("timeouts") {
            entry.idleTimeout = timeouts.seconds("idle_s", in: 0.1...604_800)
            entry.totalTimeout = timeouts.seconds("total_s", in: 0.1...31_536_000)
            timeouts.noteUnknown()
        }
        entry.retry = readRetry(members)
        let schema = members.schema("params")
        if let schema { entry.paramsSchema = schema.source }
        entry.examples = readExamples(members, schema)
        members.noteUnknown()
        return id == nil ? nil : entry
    }

    private static func readRetry(_ fields: ManifestFields) -> RetryPolicy {
        guard let members = fields.object("retry") else { return .never }
        var retry = RetryPolicy()
        retry.maxAttempts = members.int("max_attempts", in: 1...1000) ?? retry.maxAttempts
        retry.initialDelay = members.seconds("initial_delay_s", in: 0...86_400) ?? retry.initialDelay
        retry.maxDelay = members.seconds("max_delay_s", in: 0...604_800) ?? retry.maxDelay
        retry.multiplier = members.number("multiplier", in: 1...100) ?? retry.multiplier
        retry.jitter = members.number("jitter", in: 0...1) ?? retry.jitter
        retry.retryOn = readCodes("retry_on", members)
        retry.giveUpOn = readCodes("give_up_on", members)
        members.noteUnknown()
        return retry
    }

    private static func readCodes(_ key: String, _ fields: ManifestFields) -> [String] {
        let codes = fields.strings(key)
        if codes.count > 32 || codes.contains(where: { !(1...64).contains($0.utf8.count) }) {
            fields.mistake(
                key,
                "must be at most 32 error codes of 1…64 bytes",
                fix: "Write the codes of the feature's errors, such as [\"busy\"]."
            )
        }
        return codes
    }

    /// Any name may be needed: what there is of it, the configuration of the hub says.
    private static func readNeeds(_ fields: ManifestFields) -> TaskNeeds {
        var needs = TaskNeeds()
        guard let members = fields.object("needs") else { return needs }
        for (name, value) in members.object {
            do {
                if let amount = value.int {
                    try needs.set(name, to: amount)
                } else {
                    try needs.set(name, to: value.string ?? value.text)
                }
            } catch let error as BelfryError {
                let place = JSONPointer.appending(name, to: "").dropFirst()
                members.mistake(String(place), "is wrong: \(error.message)", fix: error.fix ?? "")
            } catch {
                members.mistake(name, "\(error)", fix: "Write it like {\"gpu\": 1}.")
            }
        }
        return needs
    }

    private static func readExamples(_ fields: ManifestFields, _ schema: JSONSchema?) -> [Example] {
        fields.objects("examples").compactMap { members in
            let title = members.string("title") ?? ""
            guard let params = members.value("params") else {
                members.mistake("params", "is missing", fix: "Write {\"title\": …, \"params\": {…}}.")
                return nil
            }
            members.noteUnknown()
            if let violation = schema?.check(params).first {
                members.mistake(
                    "params" + violation.pointer,
                    violation.sentence,
                    fix: "Mend the example, or the feature's params."
                )
            }
            return Example(title: title, params: params)
        }
    }
}

/// What ids look like: inert in file names, terminals, addresses and queries.
enum PluginName {
    static func isPluginID(_ text: String) -> Bool { text.utf8.count <= 64 && isSegment(text[...]) }

    static func isFeatureID(_ text: String, of pluginID: String) -> Bool {
        guard text.utf8.count <= 128 else { return false }
        let parts = text.split(separator: "/", omittingEmptySubsequences: false)
        guard parts.allSatisfy(isSegment) else { return false }
        return parts.count == 1 || (parts.count == 2 && parts[0] == pluginID)
    }

    private static func isSegment(_ text: Substring) -> Bool {
        guard let first = text.utf8.first, isAlphanumeric(first) else { return false }
        return text.utf8.allSatisfy { byte in
            isAlphanumeric(byte) || byte == UInt8(ascii: "-") || byte == UInt8(ascii: "_")
                || byte == UInt8(ascii: ".")
        }
    }

    private static func isAlphanumeric(_ byte: UInt8) -> Bool {
        (0x30...0x39).contains(byte) || (0x61...0x7A).contains(byte)
    }
}
