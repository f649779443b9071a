// The fault injector itself: a test that relies on a fault must be able to rely on it.

import BelfryCore
import BelfryTesting
import Testing

@Suite("The faulty store")
struct FaultyTaskStoreTests {
    private let base = InMemoryTaskStore()
    private let clock = ManualWallClock()
    private let ids = IDGenerator()

    private func add(to store: FaultyTaskStore) async throws {
        let task = AcceptedTask(id: ids.taskID(at: clock.now), new: NewTask(featureID: "paint"))
        _ = try await store.add([task], batch: nil, at: clock.now)
    }

    @Test("without faults it is the store it wraps", arguments: StoreConformance.allChecks)
    func passesThrough(_ check: StoreCheck) async throws {
        try await check.run { options in
            let base = InMemoryTaskStore(ids: options.ids, didCommitEvents: options.didCommitEvents)
            return StoreFixture(store: FaultyTaskStore(base)) {
                FaultyTaskStore(InMemoryTaskStore(contentsOf: base))
            }
        }
    }

    @Test("as many calls fail as were asked for, of that kind only, and do nothing")
    func failsOnDemand() async throws {
        let store = FaultyTaskStore(base)
        store.fail(.add, times: 2)
        for _ in 0..<2 {
            await #expect { try await add(to: store) } throws: { error in
                guard case TaskStoreError.unavailable(let reason) = error else { return false }
                return reason.code == .storeUnavailable
            }
        }
        #expect(try await store.status().newest == 0)
        try await add(to: store)
        #expect(try base.status().newest == 1)
        #expect(store.calls(.add) == 3)
    }

    /// Each kind of call, made once.
    private func calls() -> [FaultyTaskStore.Call: @Sendable (FaultyTaskStore) async throws -> Void] {
        let (now, id) = (clock.now, ids.taskID(at: clock.now))
        let new = NewTask(featureID: "paint")
        let claim = Claim(taskID: id, fence: 1)
        let lease = Lease(bootID: "b", expiresAt: .zero)
        let schedule = Schedule(
            name: "nightly",
            rule: "",
            zone: "",
            catchUp: .once,
            task: new,
            nextAt: nil,
            at: now
        )
        return [
            .status: { _ = try await $0.status() },
            .add: { _ = try await $0.add([AcceptedTask(id: id, new: new)], batch: nil, at: now) },
            .read: { _ = try await $0.countClearable(ClearFilter()) },
            .attempts: { _ = try await $0.attempts(of: id) },
            .claim: {
                let request = ClaimRequest(worker: WorkerID("w"), lease: lease, slots: 1, lanes: [:])
                _ = try await $0.claim(request, at: now)
            },
            .pendingWork: { _ = try await $0.pendingWork() },
            .extendLeases: { _ = try await $0.extendLeases([claim], to: lease) },
            .settle: { _ = try await $0.settle(Settlement(claim: claim, outcome: .cancelled), at: now) },
            .saveProgress: { _ = try await $0.saveProgress([], at: now) },
            .requestCancel: { _ = try await $0.requestCancel(id, at: now) },
            .retry: { _ = try await $0.retry(id, attempts: 1, context: nil, at: now) },
            .edit: { _ = try await $0.edit(id, TaskEdit(), at: now) },
            .setStashed: { _ = try await $0.setStashed(true, id, at: now) },
            .pruneEvents: { _ = try await $0.pruneEvents(before: now, limit: 1) },
            .expire: { _ = try await $0.expire(limit: 1, at: now) },
            .saveCheckpoint: { try await $0.saveCheckpoint(nil, of: claim) },
            .dependencies: { _ = try await $0.dependencies(of: [id]) },
            .groups: { _ = try await $0.groups() },
            .saveGroup: { try await $0.saveGroup(TaskGroup(name: "night")) },
            .schedules: { _ = try await $0.schedules() },
            .saveSchedule: { try await $0.saveSchedule(schedule, replacing: nil) },
            .removeSchedule: { _ = try await $0.removeSchedule("nightly") },
            .fire: { store in
                let firing = ScheduleFiring(revision: 1, tasks: [], after: schedule)
                _ = try await store.fire(firing, at: now)
            },
            .rescue: { store in
                let rescue = Rescue(alive: [], bootID: "b", leaseTime: .zero, isSoleOwner: true)
                _ = try await store.rescue(rescue, at: now)
            },
            .clear: { _ = try await $0.clear(ClearFilter(), at: now) },
            .events: { _ = try await $0.events(after: 0, limit: 1) },
            .cursor: { _ = try await $0.cursor(of: "file") },
            .saveCursor: { try await $0.saveCursor(EventCursor(epoch: "e", position: 1), of: "file") },
            .park: { try await $0.park(ParkedEvent(sink: "file", position: 1, reason: "", time: now)) },
            .parkedEvents: { _ = try await $0.parkedEvents(of: "file") },
            .unpark: { try await $0.unpark([1], of: "file") },
            .forgetSink: { try await $0.forgetSink("file") },
            .close: { try await $0.close() },
        ]
    }

    @Test("every kind of call can be made to fail, and no other fails with it")
    func coversAllCalls() async throws {
        let calls = calls()
        #expect(Set(calls.keys) == Set(FaultyTaskStore.Call.allCases))
        for (kind, call) in calls {
            let store = FaultyTaskStore(InMemoryTaskStore())
            store.fail(kind, with: .refused(.conflict(kind.rawValue)))
            await #expect(throws: TaskStoreError.conflict(kind.rawValue)) { try await call(store) }
            #expect(store.calls(kind) == 1)
            for other in FaultyTaskStore.Call.allCases where other != kind {
                #expect(store.calls(other) == 0)
            }
        }
    }

    @Test("changes whose answer is lost are made")
    func losesAnswersOfChanges() async throws {
        let store = FaultyTaskStore(base)
        try await add(to: store)
        let task = try #require(try base.task(number: 1))
        let lost: [(FaultyTaskStore.Call, @Sendable () async throws -> Void)] = [
            (.setStashed, { _ = try await store.setStashed(true, task.id, at: task.createdAt) }),
            (
                .saveGroup,
                {
                    var group = TaskGroup(name: "night")
                    group.slots = 2
                    try await store.saveGroup(group)
                }
            ),
        ]
        for (kind, call) in lost {
            store.fail(kind, with: .answerLost)
            await #expect(throws: TaskStoreError.outcomeUnknown("The answer to \(kind.rawValue) was lost.")) {
                try await call()
            }
        }
        #expect(try base.task(number: 1)?.isStashed == true)
        #expect(try base.groups().map(\.slots) == [2])
    }

    @Test("a fault is whatever error a test wants, until healed")
    func throwsTheGivenError() async throws {
        let store = FaultyTaskStore(base)
        store.fail(.claim, times: 5, with: .refused(.conflict("mine")))
        let request = ClaimRequest(
            worker: WorkerID("w"),
            lease: Lease(bootID: "b", expiresAt: .zero),
            slots: 1,
            lanes: [:]
        )
        await #expect(throws: TaskStoreError.conflict("mine")) {
            try await store.claim(request, at: clock.now)
        }
        store.heal(.claim)
        #expect(try await store.claim(request, at: clock.now).isEmpty)
    }

    @Test("a call whose answer is lost has done its work")
    func losesAnswers() async throws {
        let store = FaultyTaskStore(base)
        store.fail(.add, with: .answerLost)
        await #expect(throws: TaskStoreError.outcomeUnknown("The answer to add was lost.")) {
            try await add(to: store)
        }
        #expect(try base.status().newest == 1)
    }

    @Test("held calls do nothing until they are released, others go on")
    func holdsCalls() async throws {
        let store = FaultyTaskStore(base)
        store.hold(.add)
        try await withThrowingTaskGroup { group in
            for _ in 0..<3 { group.addTask { try await add(to: store) } }
            await store.waitUntilHeld(.add, count: 3)
            #expect(try await store.status().newest == 0)
            store.release(.add)
            try await group.waitForAll()
        }
        #expect(try await store.status().newest == 3)
        try await add(to: store)
        #expect(try await store.status().newest == 4)
    }
}

@Suite("The conformance suite")
struct StoreConformanceTests {
    @Test("each check has a name of its own")
    func namesAreUnique() {
        let names = StoreConformance.allChecks.map(\.name)
        #expect(Set(names).count == names.count)
        #expect(names.count >= 190)
    }

    @Test("a check reports what it found, and cleans up, when the store breaks the promise")
    func brokenStore() async throws {
        let check = try #require(
            StoreConformance.allChecks.first { $0.name.hasPrefix("a new store is empty") }
        )
        let wasCleaned = Flag()
        let failure = await #expect(throws: StoreCheckFailure.self) {
            try await check.run { options in
                let store = InMemoryTaskStore(ids: options.ids)
                let task = AcceptedTask(
                    id: options.ids.taskID(at: ManualWallClock().now),
                    new: NewTask(featureID: "paint")
                )
                _ = try store.add([task], batch: nil, at: ManualWallClock().now)
                return StoreFixture(
                    store: store,
                    reopen: { InMemoryTaskStore(contentsOf: store) },
                    cleanUp: { wasCleaned.set() }
                )
            }
        }
        #expect(failure?.message == "the newest position: expected 0, got 1")
        #expect(failure?.fileID == "BelfryTesting/Checks+Submission.swift")
        #expect(wasCleaned.isSet)
    }
}

@Suite("Manual clocks")
struct ManualClockTests {
    @Test("they stand still until they are moved")
    func move() {
        let wall = ManualWallClock(Timestamp(milliseconds: 1000))
        #expect(wall.now == wall.now)
        wall.advance(by: .milliseconds(250))
        wall.advance(by: .seconds(-1))
        #expect(wall.now == Timestamp(milliseconds: 250))
        let lease = ManualLeaseClock(bootID: "a", now: .seconds(5))
        lease.advance(by: .seconds(2))
        lease.bootID = "b"
        #expect(lease.now == .seconds(7))
        #expect(lease.bootID == "b")
    }
}
