// Reads the directories of plugins and decides which of them serve. Every plugin is judged by
// itself first, so that one that is broken hides nobody; conflicts are settled after that, by a
// rule that does not depend on the order in which a file system lists its entries.

import BelfryCore

#if canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#endif

struct PluginScan {
    typealias Plugin = PluginSnapshot.Plugin
    typealias Problem = PluginSnapshot.Problem

    let searchPath: String
    let belfryVersion: PluginVersion?
    let reservedFeatureIDs: Set<String>
    let disabled: Set<String>
    let settings: [String: JSONObject]
    /// Where people write settings and secrets.
    let configurationFile: String
    /// The user's directory, where added plugins are held against their pins.
    let user: String
    let venvs: String
    let secrets: PluginSecrets
    /// Nil when plugins.lock cannot be read; see ``lockProblem``.
    let lock: PluginLock?
    let lockProblem: Problem?
    let cache: ScanCache?
    /// Makes what the files of a plugin in a directory are held against.
    let pins: @Sendable (_ id: String, _ directory: String, _ files: [String: String]) -> PinnedFiles

    /// - Parameter roots: in the order of precedence.
    func snapshot(of roots: [(directory: String, source: InstalledPlugin.Source)]) -> PluginSnapshot {
        var found: [Plugin] = []
        var seen: Set<String> = []
        for (root, source) in roots {
            let ofRoot = FileSystem.names(in: root).compactMap { name -> Plugin? in
                guard !name.hasPrefix("."), let plugin = read("\(root)/\(name)", name, source) else {
                    return nil
                }
                // One directory reached in two ways is one plugin.
                return seen.insert(plugin.directory).inserted || plugin.isLinked ? plugin : nil
            }
            found += ofRoot.sorted { ($0.id, $0.directory) < ($1.id, $1.directory) }
        }
        settleIDs(&found)
        settleFeatures(&found)
        let order = found.enumerated().sorted { ($0.element.id, $0.offset) < ($1.element.id, $1.offset) }
        return PluginSnapshot(plugins: order.map(\.element))
    }

    /// The plugin in `path`, judged by itself; nil when there is none.
    func read(_ path: String, _ name: String, _ source: InstalledPlugin.Source) -> Plugin? {
        let isLink = FileSystem.entry(path, following: false)?.kind == .link
        let pinned = isLink && PluginStore.holds(path, in: user) ? lock?[name] : nil
        // What the lock says is true at every moment; the link follows it.
        let target = pinned.map { "\(user)/\($0.directory)" } ?? path
        guard let directory = FileSystem.real(target) else {
            return isLink ? lost(path, name, source) : nil
        }
        guard FileSystem.entry("\(directory)/\(PluginManifest.fileName)", following: false) != nil else {
            return pinned == nil ? nil : lost(path, name, source)
        }
        let inspection = cache?.inspection(of: directory) ?? PluginManifest.inspect(directory: directory)
        var plugin = Plugin(
            // A pinned plugin keeps its name, whatever its manifest says by now.
            id: pinned != nil ? name : inspection.manifest?.id ?? inspection.declaredID ?? name,
            manifest: inspection.manifest,
            directory: directory,
            source: source,
            isLinked: isLink && !PluginStore.holds(path, in: user),
            state: .disabled,
            warnings: inspection.warnings
        )
        plugin.declaredFeatures = inspection.declaredFeatures
        plugin.origin = pinned?.origin
        plugin.isConfirmed = pinned?.isConfirmed ?? true
        plugin.state = state(of: &plugin, inspection, pinned)
        return plugin
    }

    private func lost(_ path: String, _ name: String, _ source: InstalledPlugin.Source) -> Plugin {
        let problem = Problem(
            "\(path) points to a directory that is not there",
            fix: "Run: belfry plugin remove \(name)"
        )
        return Plugin(
            id: name,
            directory: path,
            source: source,
            isLinked: true,
            state: .invalid(problem),
            warnings: []
        )
    }

    private func state(
        of plugin: inout Plugin,
        _ inspection: PluginManifest.Inspection,
        _ pinned: PluginLock.Entry?
    ) -> PluginSnapshot.State {
        if disabled.contains(plugin.id) { return .disabled }
        // Before its manifest is believed.
        let isPinned = plugin.source == .user && !plugin.isLinked && !user.isEmpty
        let pins = pinned.map { self.pins(plugin.id, plugin.directory, $0.files) }
        // One that nobody pinned and that cannot even be read is to be mended first.
        let isLegible = pins != nil || inspection.manifest != nil
        if isPinned, isLegible, let problem = distrust(plugin, pins) { return .invalid(problem) }
        guard let manifest = inspection.manifest else {
            plugin.problems = inspection.mistakes.map { Problem($0.message, fix: $0.fix) }
            let validation = "Then check it: belfry plugin validate \(plugin.directory)"
            return .invalid(first(of: plugin.problems, validation))
        }
        if let setup = manifest.venv, !setup.isThere(in: plugin.directory) {
            return .invalid(
                Problem(
                    "\(plugin.directory) has no file \(setup.requirements), which its setup names",
                    fix: "Add the file, or take setup out of \(plugin.directory)/\(PluginManifest.fileName)."
                )
            )
        }
        return state(of: &plugin, manifest, pins)
    }

    /// Of a sound plugin: ready, or everything that keeps it from running.
    private func state(
        of plugin: inout Plugin,
        _ manifest: PluginManifest,
        _ pins: PinnedFiles?
    ) -> PluginSnapshot.State {
        var problems: [Problem] = []
        func told<Value>(_ work: () throws -> Value) -> Value? {
            do { return try work() } catch {
                let problem = Problem(error, isUnset: settings[manifest.id] == nil)
                // A program may be both required and what is run.
                if !problems.contains(problem) { problems.append(problem) }
                return nil
            }
        }
        let configured = told {
            try manifest.configured(by: settings[manifest.id] ?? [:], in: configurationFile)
        }
        let manifest = configured?.manifest ?? manifest
        problems += unmet(manifest)
        let venv = told { try self.venv(of: manifest, plugin.directory) }
        if let note = venv?.note { plugin.warnings.append(note) }
        var installed: InstalledPlugin?
        // Before its environment is there, nobody knows what is missing in it.
        if let venv {
            problems += missing(manifest, venv: venv.directory)
            installed = told {
                try bound(plugin, manifest, configured?.settings ?? [:], venv: venv.directory)
            }
        }
        plugin.problems = problems
        guard problems.isEmpty, var installed else {
            let validation = "See all: belfry plugin validate \(plugin.directory)"
            return .unavailable(first(of: problems, problems.count > 1 ? validation : nil))
        }
        // The path of a pinned version is its own; elsewhere files change in place.
        installed.revision = pins == nil ? PluginContents.revision(of: plugin.directory) : "pinned"
        installed.pins = pins
        return .ready(installed)
    }

    private func bound(_ plugin: Plugin, _ manifest: PluginManifest, _ settings: JSONObject, venv: String?)
        throws -> InstalledPlugin
    {
        try InstalledPlugin(
            binding: manifest,
            directory: plugin.directory,
            searchPath: searchPath,
            venv: venv,
            isLinked: plugin.isLinked,
            source: plugin.source,
            settings: settings
        )
    }

    /// The first of several problems, and how many more there are.
    private func first(of problems: [Problem], _ nextStep: String?) -> Problem {
        guard var problem = problems.first else { return Problem("holds no plugin") }
        if problems.count > 1 { problem.reason += " (and \(problems.count - 1) more)" }
        guard let nextStep else { return problem }
        let fix = problem.fix.map { $0.hasSuffix(".") ? "\($0) " : "\($0). " } ?? ""
        problem.fix = fix + nextStep
        return problem
    }

    /// Why the files of one of the user's plugins are not to be run; nil when they are what was pinned.
    private func distrust(_ plugin: Plugin, _ pins: PinnedFiles?) -> Problem? {
        if let lockProblem { return lockProblem }
        guard let pins else {
            return Problem(
                "\(plugin.directory) was not added by belfry, so that nobody has looked at what it runs",
                fix: "Look at it, then run: belfry plugin update \(plugin.id) \(plugin.directory)"
            )
        }
        return pins.difference().map { Problem($0, fix: PinnedFiles.fix(plugin.id)) }
    }

    /// The plugin's Python environment; without a directory when it wants none, or can do without and a note
    /// says so.
    ///
    /// - Throws: ``BelfryError`` when it cannot.
    private func venv(of manifest: PluginManifest, _ directory: String) throws -> (
        directory: String?, note: String?
    ) {
        guard let setup = manifest.venv else { return (nil, nil) }
        let venv = PluginVenv(of: manifest.id, in: venvs, setup: setup, pluginDirectory: directory)
        switch venv.state(cache: cache) {
        case .fits(let directory): return (directory, nil)
        case .unfit(let reason):
            let note = "its Python environment \(venv.path) \(reason)"
            if setup.isOptional {
                return (nil, "\(note); it does without. Run: belfry plugin setup \(manifest.id)")
            }
            throw BelfryError(.featureUnavailable, note, fix: "Run: belfry plugin setup \(manifest.id)")
        }
    }

    /// What this machine and the configuration do not have.
    private func unmet(_ manifest: PluginManifest) -> [Problem] {
        var problems: [Problem] = []
        if let range = manifest.requires.belfry, let belfryVersion, !range.contains(belfryVersion) {
            problems.append(
                Problem(
                    "it needs Belfry \(range), and this is \(belfryVersion)",
                    fix: "Update Belfry, or add a version of the plugin that fits."
                )
            )
        }
        let (machine, wanted) = (Machine.architecture, manifest.requires.architectures)
        if !wanted.isEmpty, !wanted.contains(machine) {
            problems.append(
                Problem(
                    "it runs on \(wanted.joined(separator: ", ")), and this machine is \(machine)",
                    fix:
                        "Add a version of the plugin for \(machine), or remove it: belfry plugin remove \(manifest.id)"
                )
            )
        }
        return problems + manifest.secrets.compactMap { secrets.problem(with: $0, in: configurationFile) }
    }

    /// The programs and modules that are not there.
    private func missing(_ manifest: PluginManifest, venv: String?) -> [Problem] {
        let path = venv.map { "\($0)/bin:\(searchPath)" } ?? searchPath
        let programs = manifest.requires.executables.filter { ProgramSearch.find($0, on: path) == nil }
        let modules = manifest.requires.pythonModules.isEmpty ? nil : PythonModules(venv: venv)
        let absent = manifest.requires.pythonModules.filter { modules?.contains($0) == false }
        return programs.map { Problem(ProgramSearch.missing($0, on: path)) }
            + absent.map { PythonModules.missing($0, id: manifest.id, hasVenv: venv != nil) }
    }

    // MARK: Conflicts

    /// Of several plugins with one id the first stays; both say so.
    private func settleIDs(_ plugins: inout [Plugin]) {
        var owners: [String: Int] = [:]
        for index in plugins.indices {
            let id = plugins[index].id
            guard let owner = owners[id] else {
                owners[id] = index
                continue
            }
            let first = plugins[owner]
            plugins[index].state = .invalid(
                Problem(
                    "the id '\(id)' is taken by the \(first.source.rawValue) plugin in \(first.directory)",
                    fix: removal(of: plugins[index])
                )
            )
            plugins[owner].warnings.append(
                "the plugin in \(plugins[index].directory) has the same id and is not used"
            )
        }
    }

    /// A feature belongs to the first plugin that serves it, or would but for something missing.
    private func settleFeatures(_ plugins: inout [Plugin]) {
        var owners: [String: Int] = [:]
        for index in plugins.indices where holdsFeatures(plugins[index]) {
            let ids = plugins[index].manifest?.features.map(\.id) ?? []
            if let reserved = ids.first(where: reservedFeatureIDs.contains) {
                plugins[index].state = .invalid(
                    Problem(
                        "the feature '\(reserved)' is built into Belfry",
                        fix:
                            "Give the feature another id in \(plugins[index].directory)/\(PluginManifest.fileName)."
                    )
                )
            } else if let taken = ids.first(where: { owners[$0] != nil }), let owner = owners[taken] {
                let first = plugins[owner]
                plugins[index].state = .invalid(
                    Problem(
                        "the feature '\(taken)' is served by the \(first.source.rawValue) plugin '\(first.id)'",
                        fix: "\(removal(of: plugins[index])) Or: belfry plugin disable \(first.id)"
                    )
                )
                plugins[owner].warnings.append(
                    "the plugin '\(plugins[index].id)' in \(plugins[index].directory) has the feature '\(taken)' too and is not used"
                )
            } else {
                for id in ids { owners[id] = index }
            }
        }
    }

    private func holdsFeatures(_ plugin: Plugin) -> Bool {
        switch plugin.state {
        case .ready, .unavailable: true
        case .invalid, .disabled: false
        }
    }

    private func removal(of plugin: Plugin) -> String {
        plugin.source == .user
            ? "Run: belfry plugin remove \(plugin.id)" : "Remove the directory \(plugin.directory)."
    }
}

extension PluginSnapshot.Problem {
    /// - Parameter isUnset: whether nobody has set anything for the plugin.
    fileprivate init(_ error: any Error, isUnset: Bool = false) {
        guard let error = error as? BelfryError else {
            self.init("\(error)")
            return
        }
        self.init(
            error.message,
            fix: error.fix,
            isChoice: isUnset && error.code == .invalidConfiguration
        )
    }
}

/// The machine that this runs on.
enum Machine {
    /// As `uname -m` says it, such as `x86_64`.
    static let architecture: String = {
        var name = utsname()
        guard uname(&name) == 0 else { return "unknown" }
        return withUnsafeBytes(of: &name.machine) { String(decoding: $0.prefix { $0 != 0 }, as: UTF8.self) }
    }()
}
