// What the configuration says about the queue: who takes turns, what there is to give, what is kept.

import BelfryCore
import BelfryService
import TOMLKit

extension Configuration {
    mutating func readQueue(_ reader: inout ConfigurationReader) throws {
        if let name = try reader.string("worker.fairness") {
            guard let value = Fairness(rawValue: name) else {
                throw reader.error("worker.fairness", "must be none, user or batch")
            }
            fairness = value
        }
        if let size = try reader.int("worker.disk_reserve_mb", 0...1_073_741_824) { diskReserve = size << 20 }
        try readResources(&reader)
        try readRetention(&reader)
    }

    /// A number, text such as "8G", or a list of the names of devices.
    private mutating func readResources(_ reader: inout ConfigurationReader) throws {
        for name in try reader.names(of: "resources") {
            let key = "resources.\(name)"
            var check = TaskNeeds()
            do { try check.set(name, to: Int64(1)) } catch {
                throw reader.error(key, "is no name of a resource: lower-case letters, digits, '-' and '_'")
            }
            guard name != "slots" else { throw reader.error(key, "is set by worker.concurrency") }
            resources[name] = try reader.amount(key)
        }
    }

    private mutating func readRetention(_ reader: inout ConfigurationReader) throws {
        for status in TaskStatus.allCases where status.isFinal {
            if let days = try reader.number("retention.\(status.rawValue)_days", 0...36_500) {
                retention.age[status] = days > 0 ? .seconds(days * 86_400) : nil
            }
        }
        if let count = try reader.int("retention.tasks", 0...1_000_000_000) {
            retention.count = count > 0 ? Int(count) : nil
        }
        if let size = try reader.int("retention.results_mb", 0...1_073_741_824) {
            retention.resultsSize = size > 0 ? size << 20 : nil
        }
        if let days = try reader.number("retention.event_days", 0...36_500) {
            retention.eventAge = days > 0 ? .seconds(days * 86_400) : nil
        }
    }

    static let queueTemplate = """
        # Who takes turns within a priority: none (first come, first served), user, or batch.
        fairness = "none"
        # Free space, in MiB, below which nothing new starts. 0 means that it is not looked at.
        disk_reserve_mb = 200

        [resources]
        # What tasks may need beside slots: belfry add --need gpu=1 --need memory=8G. memory is the machine's
        # own, and gpu the cards that nvidia-smi or rocm-smi find (one where they find none), unless you
        # say otherwise: a number, an amount such as "24G", or the names of devices.
        # memory = "24G"
        # gpu = ["0", "1"]
        # license = 2

        [retention]
        # How long finished tasks are kept with their results and logs, in days, and how many. 0 means for
        # ever, and all of them.
        completed_days = 0
        failed_days = 0
        cancelled_days = 0
        tasks = 0
        # How large the results may be together, in MiB: beyond it the oldest finished tasks go. 0 means any size.
        results_mb = 0
        # How long events stay in the store. The event log has bounds of its own.
        event_days = 90
        """
}

/// How much there is of a resource, as the configuration says.
enum ResourceAmount: Equatable {
    case amount(Int64)
    case devices([String])
}

extension ConfigurationReader {
    mutating func amount(_ key: String) throws -> ResourceAmount {
        if let devices = try? strings(key) {
            guard !devices.isEmpty, devices.allSatisfy({ !$0.isEmpty && !$0.contains(",") }) else {
                throw error(key, "must name at least one device, without commas")
            }
            guard Set(devices).count == devices.count else { throw error(key, "must name each device once") }
            return .devices(devices)
        }
        if let text = try? string(key) {
            guard let amount = TaskNeeds.amount(text) else {
                throw error(key, "must be an amount such as 2 or \"24G\"")
            }
            return .amount(amount)
        }
        guard let number = try int(key, 0...Int64.max) else { throw error(key, "must be an amount") }
        return .amount(number)
    }
}
