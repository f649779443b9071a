// Reads fields of plugin.json. A wrong field is noted and reads as absent, so that one pass finds
// every mistake.

import BelfryCore

/// Collects what is wrong and what is odd about one file.
final class ManifestReader {
    static let maxSize = 1 << 20

    let file: String
    private(set) var mistakes: [BelfryError] = []
    var warnings: [String] = []

    init(file: String) { self.file = file }

    func mistake(at pointer: String, _ reason: String, fix: String) {
        let subject = pointer.isEmpty ? "" : "\(pointer) "
        mistakes.append(
            BelfryError(.invalidPlugin, "\(file): \(subject)\(reason)", fix: fix, pointer: pointer)
        )
    }

    /// The file as JSON; nil after noting why not.
    func document() -> JSONValue? {
        let bytes: [UInt8]
        do throws(FileError) {
            bytes = try FileSystem.contents(of: file, limit: Self.maxSize)
        } catch {
            mistake(at: "", error.reason, fix: "Make it a readable file of at most \(Self.maxSize) bytes.")
            return nil
        }
        do throws(JSONError) {
            return try JSONValue(parsing: bytes)
        } catch {
            let before = bytes.prefix(error.offset)
            let line = before.count(where: { $0 == 0x0A }) + 1
            let column = error.offset - (before.lastIndex(of: 0x0A) ?? -1)
            mistake(
                at: "",
                "is not JSON: \(error.reason) in line \(line), column \(column)",
                fix: "Mend the JSON there."
            )
            return nil
        }
    }

    func fields(_ value: JSONValue, at pointer: String) -> ManifestFields? {
        if let object = value.object { return ManifestFields(object: object, pointer: pointer, reader: self) }
        mistake(at: pointer, "must be an object; got \(value.excerpt)", fix: "Write {…}.")
        return nil
    }
}

/// One object of the file.
final class ManifestFields {
    let object: JSONObject
    let pointer: String
    let reader: ManifestReader
    /// What was asked for: everything else is unknown.
    private var known: Set<String> = []

    init(object: JSONObject, pointer: String, reader: ManifestReader) {
        self.object = object
        self.pointer = pointer
        self.reader = reader
    }

    /// - Parameter path: a key, or several with `/` between them.
    func mistake(_ path: String, _ reason: String, fix: String) {
        reader.mistake(at: "\(pointer)/\(path)", reason, fix: fix)
    }

    func value(_ key: String) -> JSONValue? {
        known.insert(key)
        return object[key]
    }

    private func read<Value>(
        _ key: String,
        _ wanted: String,
        isRequired: Bool = false,
        _ convert: (JSONValue) -> Value?
    ) -> Value? {
        guard let value = value(key) else {
            if isRequired { mistake(key, "is missing", fix: "Add \"\(key)\": \(wanted).") }
            return nil
        }
        if let converted = convert(value) { return converted }
        mistake(key, "must be \(wanted); got \(value.excerpt)", fix: "Write \(wanted).")
        return nil
    }

    func string(_ key: String, isRequired: Bool = false) -> String? {
        read(key, "text", isRequired: isRequired, \.string)
    }

    func bool(_ key: String) -> Bool? { read(key, "true or false", \.bool) }

    func int(_ key: String, in range: ClosedRange<Int>, isRequired: Bool = false) -> Int? {
        let wanted =
            range.upperBound == .max
            ? "a whole number" : "a whole number, \(range.lowerBound)…\(range.upperBound)"
        return read(key, wanted, isRequired: isRequired) { value in
            value.int.flatMap { range.contains(Int($0)) ? Int($0) : nil }
        }
    }

    func number(_ key: String, in range: ClosedRange<Double>) -> Double? {
        read(key, "a number, \(shown(range.lowerBound))…\(shown(range.upperBound))") { value in
            value.double.flatMap { range.contains($0) ? $0 : nil }
        }
    }

    func seconds(_ key: String, in range: ClosedRange<Double>) -> Duration? {
        read(key, "seconds, \(shown(range.lowerBound))…\(shown(range.upperBound))") { value in
            value.double.flatMap { range.contains($0) ? .milliseconds(Int64(($0 * 1000).rounded())) : nil }
        }
    }

    private func shown(_ bound: Double) -> String { JSONValue.double(bound).text }

    func strings(_ key: String) -> [String] {
        read(key, "a list of texts") { value in
            let texts = value.array?.compactMap(\.string)
            return texts?.count == value.array?.count ? texts : nil
        } ?? []
    }

    func choice<Choice: RawRepresentable<String> & CaseIterable>(
        _ key: String,
        _ type: Choice.Type,
        isRequired: Bool = false
    ) -> Choice? {
        choice(key, Choice.allCases.map(\.rawValue), isRequired: isRequired).flatMap(Choice.init(rawValue:))
    }

    func choice(_ key: String, _ type: InterruptPolicy.Type) -> InterruptPolicy? {
        choice(key, [InterruptPolicy.rerun, .fail].map(\.rawValue), isRequired: false)
            .flatMap(InterruptPolicy.init(rawValue:))
    }

    private func choice(_ key: String, _ words: [String], isRequired: Bool) -> String? {
        let wanted = words.map { "\"\($0)\"" }.joined(separator: " or ")
        return read(key, wanted, isRequired: isRequired) { value in
            value.string.flatMap { words.contains($0) ? $0 : nil }
        }
    }

    func object(_ key: String, isRequired: Bool = false) -> ManifestFields? {
        read(key, "an object", isRequired: isRequired, \.object).map {
            ManifestFields(object: $0, pointer: JSONPointer.appending(key, to: pointer), reader: reader)
        }
    }

    func objects(_ key: String) -> [ManifestFields] {
        let list = JSONPointer.appending(key, to: pointer)
        return (read(key, "a list of objects", \.array) ?? []).enumerated().compactMap { offset, item in
            reader.fields(item, at: JSONPointer.appending(offset, to: list))
        }
    }

    /// A JSON Schema of an object, compiled to be sure that it can be.
    func schema(_ key: String) -> JSONSchema? {
        guard let source = value(key) else { return nil }
        do {
            let schema = try JSONSchema(source)
            if source["type"]?.string != "object" {
                mistake(
                    "\(key)/type",
                    "must be \"object\": \(key) have names",
                    fix: "Write \"type\": \"object\"."
                )
            }
            let place = JSONPointer.appending(key, to: pointer)
            reader.warnings += schema.warnings.map { "\(reader.file): \(place)\($0)" }
            return schema
        } catch let error as BelfryError {
            mistake(key + (error.pointer ?? ""), error.message, fix: error.fix ?? "")
        } catch {
            mistake(key, "\(error)", fix: "Write a JSON Schema.")
        }
        return nil
    }

    /// Refuses what no process can be given and placeholders that nobody fills.
    func checkTemplate(_ path: String, _ text: String) {
        if text.utf8.contains(0) { mistake(path, "holds a zero byte", fix: "Leave it out.") }
        if let name = PluginTemplate.unknownPlaceholder(in: text) {
            mistake(path, "holds \(name), which means nothing here", fix: "Only ${plugin_dir} is replaced.")
        }
    }

    /// Warns of keys that nobody asked for.
    func noteUnknown(besides others: [String] = []) {
        for key in object.keys where !known.contains(key) && !others.contains(key) {
            let meant = NameSuggestion.closest(to: key, among: known).map { "; did you mean '\($0)'?" } ?? ""
            let place = JSONPointer.appending(key, to: pointer)
            reader.warnings.append("\(reader.file): \(place) is not known and is ignored\(meant)")
        }
    }
}

/// Texts with `${plugin_dir}` in them.
enum PluginTemplate {
    static let directory = "${plugin_dir}"

    static func expanded(_ text: String, directory path: String) -> String {
        var rest = text[...]
        var result = ""
        while let start = index(of: directory, in: rest) {
            result += rest[..<start] + path
            rest = rest[start...].dropFirst(directory.count)
        }
        return result + rest
    }

    static func unknownPlaceholder(in text: String) -> String? {
        var rest = text[...]
        while let start = index(of: "${", in: rest) {
            rest = rest[start...]
            guard rest.hasPrefix(directory) else {
                return String(rest.prefix { $0 != "}" }.prefix(40)) + "}"
            }
            rest = rest.dropFirst(directory.count)
        }
        return nil
    }

    private static func index(of part: String, in text: Substring) -> String.Index? {
        text.indices.first { text[$0...].hasPrefix(part) }
    }
}
