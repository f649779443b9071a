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
        #expect(names.count >= 90)
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
