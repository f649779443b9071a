// What a hub has to give: slots, amounts of named resources, and devices that are handed out one by one.

public import BelfryCore

/// The resources of the machine that tasks may need.
public struct Capacity: Sendable, Hashable {
    /// Devices of one resource that a task gets for itself, such as graphics cards.
    public struct Devices: Sendable, Hashable {
        /// As their variable names them, such as `0`, `1` or a UUID.
        public var names: [String]
        /// The variables that tell programs which ones to use, such as `CUDA_VISIBLE_DEVICES`.
        public var variables: [String]

        public init(names: [String], variables: [String]) {
            self.names = names
            self.variables = variables
        }
    }

    /// Amounts by name. Defaults to one `gpu`, so that features which need one run one at a time also where
    /// no card is known.
    public var resources: [String: Int64] = ["gpu": 1]
    /// Devices by the name of their resource. Defaults to none.
    public var devices: [String: Devices] = [:]

    public init() {}

    /// Gives a resource its devices, and as much of it as there are.
    public mutating func setDevices(_ devices: Devices, of resource: String) {
        self.devices[resource] = devices
        resources[resource] = Int64(devices.names.count)
    }

    /// What of `needs` this machine can never give, in words; nil when it can.
    public func lack(for needs: TaskNeeds, slots: Int) -> String? {
        if needs.slots > slots { return "it takes \(needs.slots) slots, and there are \(slots)" }
        for (name, amount) in needs.resources.sorted(by: { $0.key < $1.key }) {
            guard let there = resources[name] else { return "there is no resource '\(name)' here" }
            if amount > there { return "it needs \(name)=\(amount), and there is \(there)" }
        }
        return nil
    }
}

/// The devices that running attempts have.
struct DevicePool {
    private let capacity: Capacity
    private var free: [String: [String]]

    init(_ capacity: Capacity) {
        self.capacity = capacity
        free = capacity.devices.mapValues(\.names)
    }

    /// Takes the devices that `needs` asks for.
    ///
    /// - Returns: their names by resource; fewer than asked for where there are no devices, only amounts.
    mutating func take(_ needs: TaskNeeds) -> [String: [String]] {
        var taken: [String: [String]] = [:]
        for (name, amount) in needs.resources {
            guard let there = free[name] else { continue }
            let count = min(Int(clamping: amount), there.count)
            taken[name] = Array(there.prefix(count))
            free[name] = Array(there.dropFirst(count))
        }
        return taken
    }

    mutating func giveBack(_ taken: [String: [String]]) {
        for (name, devices) in taken {
            // In the order of the machine, so that the first card is the first to be used.
            let all = Set((free[name] ?? []) + devices)
            free[name] = capacity.devices[name]?.names.filter(all.contains)
        }
    }

    /// What programs are told: `CUDA_VISIBLE_DEVICES=0,1`.
    func environment(_ taken: [String: [String]]) -> [String: String] {
        var variables: [String: String] = [:]
        for (name, devices) in taken {
            for variable in capacity.devices[name]?.variables ?? [] {
                variables[variable] = devices.joined(separator: ",")
            }
        }
        return variables
    }
}
