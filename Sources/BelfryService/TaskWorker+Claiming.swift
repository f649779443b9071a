// What the worker takes on: as many tasks as there is room for, and a wake-up for the next that waits.

import BelfryCore
import Glibc
import Logging
import Synchronization

extension TaskWorker {
    /// Claims and starts tasks until there is no room or nothing is due.
    func claimWhileFree(in group: inout DiscardingTaskGroup) async {
        var failures = 0
        while let request = claimRequest() {
            do {
                // The store knows of the claim before we do, and so may somebody who cancels the task.
                state.withLock { $0.cancelledEarly = [] }
                defer { state.withLock { $0.cancelledEarly = nil } }
                let claimed = try await instruments.claim(request) {
                    try await store.claim(request, at: clocks.wall.now)
                }
                for task in claimed { start(task, in: &group) }
                if claimed.reduce(0, { $0 + $1.task.needs.slots }) < request.slots {
                    return try await attendToTimes()
                }
                failures = 0
            } catch {
                failures += 1
                if failures == 1 {
                    logger.error("cannot claim tasks; trying again", metadata: ["error": "\(error)"])
                }
                try? await clocks.sleep(Backoff.delay(failures, upTo: .seconds(5)))
            }
        }
        if state.withLock({ $0.mayBeTimed && !$0.isDraining }) { try? await attendToTimes() }
    }

    /// What can be taken now; nil when there is no room for anything.
    private func claimRequest() -> ClaimRequest? {
        guard hasDiskSpace() else { return nil }
        return state.withLock { state in
            var slots = max(1, configuration.concurrency)
            for running in state.running.values { slots -= running.claimed.task.needs.slots }
            guard slots > 0, !state.isDraining, !Task.isCancelled else { return nil }
            var request = ClaimRequest(worker: id, lease: newLease(), slots: slots, lanes: [:])
            for lane in state.lanes where isOpen(lane) { request.lanes[lane] = slots }
            guard !request.lanes.isEmpty else { return nil }
            fillLimits(of: &request, state)
            return request
        }
    }

    func newLease() -> Lease {
        Lease(bootID: clocks.lease.bootID, expiresAt: clocks.lease.now + configuration.leaseTime)
    }

    /// A lane whose tasks may start at all: what this machine can never give must not keep others waiting.
    private func isOpen(_ lane: Lane) -> Bool {
        features[lane.featureID] != nil && groups.starts(lane.group)
            && (lane.needs.isDefault
                || configuration.capacity.lack(for: lane.needs, slots: max(1, configuration.concurrency))
                    == nil)
    }

    private func fillLimits(of request: inout ClaimRequest, _ state: State) {
        request.resources = configuration.capacity.resources
        for lane in request.lanes.keys {
            if let limit = features[lane.featureID]?.descriptor.concurrency {
                request.features[lane.featureID] = limit
            }
            if let limit = groups[lane.group].slots { request.groups[lane.group] = limit }
        }
        for running in state.running.values {
            let needs = running.claimed.task.needs
            request.features[running.claimed.task.featureID]? -= 1
            request.groups[running.claimed.task.group]? -= needs.slots
            for (name, amount) in needs.resources { request.resources[name]? -= amount }
        }
    }

    private func start(_ claimed: ClaimedTask, in group: inout DiscardingTaskGroup) {
        let (attempt, keepsLeases, isCancelled) = state.withLock { state in
            let devices = state.devices.take(claimed.task.needs)
            let attempt = RunningAttempt(
                claimed,
                devices: devices,
                environment: state.devices.environment(devices)
            )
            state.running[attempt.id] = attempt
            defer { state.keepsLeases = true }
            return (attempt, state.keepsLeases, state.cancelledEarly?.contains(attempt.id) ?? false)
        }
        if isCancelled { attempt.stop.stop(.cancelled) }
        if !keepsLeases { timers.yield { await self.keepLeases() } }
        progress.begin(attempt)
        group.addTask {
            await self.run(attempt)
            self.state.withLock { state in
                state.running[attempt.id] = nil
                state.devices.giveBack(attempt.devices)
            }
            self.signal.yield()
        }
    }

    // MARK: Times

    /// Ends what is past its deadline, and sets a wake-up for the next task that waits for a time.
    private func attendToTimes() async throws {
        guard state.withLock({ $0.mayBeTimed }) else { return }
        let now = clocks.wall.now
        var work = try await store.pendingWork()
        while let deadline = work.nextDeadline, deadline <= now {
            if try await store.expire(limit: 500, at: now).isEmpty { break }
            work = try await store.pendingWork()
        }
        guard let next = [work.nextDue, work.nextDeadline].compactMap({ $0 }).min() else {
            return state.withLock { $0.mayBeTimed = false }
        }
        arm(next)
    }

    private func arm(_ next: Timestamp) {
        let isSooner = state.withLock { state in
            if let armed = state.armedFor, armed <= next { return false }
            state.armedFor = next
            return true
        }
        guard isSooner else { return }
        timers.yield {
            // Also when the clock was set: then what waits is looked at anew.
            _ = try? await self.alarm.wait(until: next)
            self.state.withLock { if $0.armedFor == next { $0.armedFor = nil } }
            self.signal.yield()
        }
    }

    // MARK: Disk

    /// Looks at the disk where results go; while it is too full, looks again every ten seconds.
    private func hasDiskSpace() -> Bool {
        guard configuration.diskReserve > 0 else { return true }
        let free = files.freeSpace
        let isEnough = free >= configuration.diskReserve
        let wasEnough = state.withLock { state in
            defer { state.freeBelowReserve = isEnough ? nil : free }
            return state.freeBelowReserve == nil
        }
        guard !isEnough else { return true }
        if wasEnough {
            logger.warning(
                "the disk is too full: nothing new starts",
                metadata: ["free": "\(free)", "reserve": "\(configuration.diskReserve)"]
            )
        }
        timers.yield {
            try? await self.clocks.sleep(.seconds(10))
            self.signal.yield()
        }
        return false
    }
}
