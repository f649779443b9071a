// What this machine has to give to tasks: its memory, and the graphics cards that the drivers' own tools
// find. The configuration has the last word.

import BelfryCore
import BelfryService
import FoundationEssentials
import Glibc
import Logging
import Subprocess
import SystemPackage

struct MachineCapacity {
    let launcher: String
    let logger: Logger
    /// Where the tools are looked for. Defaults to the hub's own PATH.
    var searchPath = ProcessInfo.processInfo.environment["PATH"] ?? "/usr/bin:/bin"

    /// A tool that lists cards, one a line.
    private struct Tool {
        var name: String
        var arguments: [String]
        var variables: [String]
        /// A card's name in a line; nil when the line is none.
        var card: @Sendable (Substring) -> String?
    }

    private static let tools = [
        Tool(
            name: "nvidia-smi",
            arguments: ["--query-gpu=index", "--format=csv,noheader"],
            variables: ["CUDA_VISIBLE_DEVICES", "NVIDIA_VISIBLE_DEVICES"],
            card: { line in Int(line.filter { $0 != " " }).map(String.init) }
        ),
        Tool(
            name: "rocm-smi",
            arguments: ["--showid", "--csv"],
            variables: ["HIP_VISIBLE_DEVICES", "ROCR_VISIBLE_DEVICES"],
            card: { line in
                guard line.hasPrefix("card") else { return nil }
                return Int(line.dropFirst(4).prefix { $0.isNumber }).map(String.init)
            }
        ),
    ]

    /// What there is, with what the configuration says in place of what was found.
    func found(_ configured: [String: ResourceAmount]) async -> Capacity {
        var capacity = Capacity()
        if let memory = Self.memory() { capacity.resources["memory"] = memory }
        if configured["gpu"] == nil, let cards = await cards() { capacity.setDevices(cards, of: "gpu") }
        for (name, value) in configured {
            switch value {
            case .amount(let amount): capacity.resources[name] = amount
            case .devices(let names):
                let variables = name == "gpu" ? Self.tools.flatMap(\.variables) : []
                let own = ["BELFRY_\(name.uppercased().replacing("-", with: "_"))_DEVICES"]
                capacity.setDevices(Capacity.Devices(names: names, variables: variables + own), of: name)
            }
        }
        return capacity
    }

    /// The machine's memory, in bytes.
    private static func memory() -> Int64? {
        let pages = sysconf(Int32(_SC_PHYS_PAGES))
        let size = sysconf(Int32(_SC_PAGESIZE))
        return pages > 0 && size > 0 ? Int64(pages) * Int64(size) : nil
    }

    /// The cards of the first tool that finds any; nil when none does.
    private func cards() async -> Capacity.Devices? {
        for tool in Self.tools {
            guard let program = find(tool.name) else { continue }
            let names = await output(of: program, tool.arguments).split(whereSeparator: \.isNewline)
                .compactMap(tool.card)
            guard !names.isEmpty else { continue }
            logger.info("graphics cards", metadata: ["tool": "\(tool.name)", "cards": "\(names)"])
            return Capacity.Devices(names: names, variables: tool.variables)
        }
        return nil
    }

    private func find(_ name: String) -> String? {
        searchPath.split(separator: ":").map { "\($0)/\(name)" }.first { access($0, X_OK) == 0 }
    }

    /// What a tool prints within five seconds; a driver that hangs must not keep the hub from starting.
    private func output(of program: String, _ arguments: [String]) async -> String {
        await withTaskGroup(of: String?.self) { group in
            group.addTask {
                var options = PlatformOptions()
                options.teardownSequence = [.send(signal: .terminate, allowedDurationToNextStep: .seconds(1))]
                let result = try? await Subprocess.run(
                    .path(FilePath(launcher)),
                    arguments: Arguments(["run", "--grace", "1", "--", program] + arguments),
                    platformOptions: options,
                    output: .string(limit: 65_536),
                    error: .discarded
                )
                return result?.standardOutput ?? ""
            }
            group.addTask {
                try? await ContinuousClock().sleep(for: .seconds(5))
                return nil
            }
            defer { group.cancelAll() }
            return (await group.next() ?? nil) ?? ""
        }
    }
}
