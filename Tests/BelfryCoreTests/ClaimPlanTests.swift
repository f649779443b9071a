// What fits beside what, without a store.

import BelfryCore
import Testing

@Suite("The claim plan")
struct ClaimPlanTests {
    private static let gpu = TaskNeeds(resources: ["gpu": 1])
    private static let memory = TaskNeeds(resources: ["memory": 1])
    private static let both = TaskNeeds(resources: ["gpu": 1, "memory": 1])

    private func lane(
        _ needs: TaskNeeds = TaskNeeds(),
        group: String = "default",
        _ feature: String = "paint"
    ) -> Lane {
        Lane(group: group, featureID: feature, needs: needs)
    }

    private func plan(
        _ slots: Int,
        _ lanes: [Lane: Int],
        resources: [String: Int64] = [:],
        groups: [String: Int] = [:],
        features: [String: Int] = [:]
    ) -> ClaimPlan {
        var request = ClaimRequest(worker: Example.worker, lease: Example.lease, slots: slots, lanes: lanes)
        (request.resources, request.groups, request.features) = (resources, groups, features)
        return ClaimPlan(request)
    }

    /// Which of the tasks, by their lanes in the order of the queue, start.
    private func taken(_ lanes: [Lane], from plan: ClaimPlan) -> [Int] {
        var plan = plan
        return lanes.indices.filter { plan.take(lanes[$0]) }
    }

    @Test("it is full without slots, and when each lane has had what it can get")
    func full() {
        #expect(plan(0, [lane(): 1]).isFull)
        #expect(plan(1, [:]).isFull)
        var plan = plan(2, [lane(): 1, lane(Self.gpu): 1])
        #expect(!plan.isFull)
        let paint = [plan.take(lane()), plan.take(lane())]
        #expect(paint == [true, false])
        #expect(!plan.isFull)
        let gpu = plan.take(lane(Self.gpu))
        #expect(!gpu)
        #expect(plan.isFull)
    }

    @Test("as many tasks of a lane are looked at as could start, and one that could keep its slots")
    func limits() {
        let four = lane(TaskNeeds(slots: 4))
        for (slots, count) in [(3, 1), (4, 1), (7, 2), (8, 2), (9, 3)] {
            #expect(plan(slots, [four: 99]).limit(of: four) == count)
        }
        #expect(plan(9, [lane(): 2]).limit(of: lane()) == 2)
        #expect(plan(9, [lane(): 2]).limit(of: four) == 0)
        #expect(plan(9, [lane(): 9], features: ["paint": 3]).limit(of: lane()) == 3)
        #expect(plan(9, [lane(): 9], features: ["paint": -1]).limit(of: lane()) == 0)
    }

    @Test("a task that lacks slots keeps all that are left")
    func slots() {
        let four = lane(TaskNeeds(slots: 4))
        let lanes = [four: 9, lane(): 9]
        #expect(taken([four, lane(), lane()], from: plan(3, lanes)) == [])
        #expect(taken([lane(), four, lane()], from: plan(4, lanes)) == [0])
        #expect(taken([four, four, lane()], from: plan(9, lanes)) == [0, 1, 2])
    }

    @Test("a task that lacks a resource keeps that and nothing else")
    func resource() {
        let lanes = [
            lane(Self.gpu): 9, lane(Self.memory): 9, lane(): 9, lane(TaskNeeds(resources: ["gpu": 2])): 9,
        ]
        let queue = [lane(TaskNeeds(resources: ["gpu": 2])), lane(Self.gpu), lane(Self.memory), lane()]
        let free = plan(9, lanes, resources: ["gpu": 1, "memory": 1])
        #expect(taken(queue, from: free) == [2, 3])
    }

    @Test("of what a task needs, each is held for it up to the first that is lacking, in one order")
    func order() {
        let lanes = [lane(Self.both): 9, lane(Self.gpu): 9, lane(Self.memory): 9]
        let queue = [lane(Self.both), lane(Self.gpu), lane(Self.memory)]
        #expect(taken(queue, from: plan(9, lanes, resources: ["gpu": 1])) == [])
        #expect(taken(queue, from: plan(9, lanes, resources: ["gpu": 2])) == [1])
        #expect(taken(queue, from: plan(9, lanes, resources: ["memory": 1])) == [2])
        #expect(taken(queue, from: plan(9, lanes, resources: ["gpu": 1, "memory": 1])) == [0])
    }

    @Test("a task whose group is full has its resource held, and takes nothing from other groups' slots")
    func groups() {
        let night = lane(Self.gpu, group: "night")
        let lanes = [night: 9, lane(group: "night"): 9, lane(Self.gpu): 9, lane(): 9]
        let free = plan(9, lanes, resources: ["gpu": 1], groups: ["night": 0])
        #expect(taken([night, lane(group: "night"), lane(Self.gpu), lane()], from: free) == [3])
        let two = Lane(group: "night", featureID: "paint", needs: TaskNeeds(slots: 2))
        let one = plan(9, [two: 9, lane(group: "night"): 9], groups: ["night": 1])
        #expect(taken([two, lane(group: "night")], from: one) == [])
    }

    @Test("a lane or a feature at its own limit keeps nothing from others")
    func ownLimits() {
        let other = Lane(group: "default", featureID: "upscale", needs: Self.gpu)
        let lanes = [lane(Self.gpu): 1, other: 9]
        let queue = [lane(Self.gpu), lane(Self.gpu), other]
        #expect(taken(queue, from: plan(9, lanes, resources: ["gpu": 2])) == [0, 2])
        let limited = plan(9, [lane(Self.gpu): 9, other: 9], resources: ["gpu": 2], features: ["paint": 1])
        #expect(taken(queue, from: limited) == [0, 2])
    }

    @Test("what was refused once in a lane is not offered again, so that the order of a lane holds")
    func shut() {
        let free = plan(9, [lane(Self.gpu): 9])
        #expect(taken([lane(Self.gpu), lane(Self.gpu)], from: free) == [])
    }
}
