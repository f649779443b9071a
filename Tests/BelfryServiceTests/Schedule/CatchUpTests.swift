// What becomes of ticks that nobody was there for.

import BelfryCore
import BelfryService
import BelfryTesting
import Foundation
import Testing

@Suite("Catching up")
struct CatchUpTests {
    /// Hourly in UTC, due at 03:00, nothing made yet.
    private func plan(
        _ text: String = "0 * * * *",
        due: String = "2026-01-01T03:00:00Z",
        lastMade: String? = "2026-01-01T02:00:00Z",
        now: String,
        _ catchUp: CatchUp = .once,
        bound: Int = CatchUpPlan.bound
    ) throws -> CatchUpPlan {
        let anchor = try time("2026-01-01T00:00:00Z")
        return CatchUpPlan(
            for: Timetable(spec: try ScheduleSpec(parsing: text), zone: .gmt, anchor: anchor),
            due: try time(due),
            lastMade: try lastMade.map(time),
            now: try time(now),
            catchUp: catchUp,
            bound: bound
        )
    }

    @Test("a tick within the grace becomes a task, whatever the policy", arguments: CatchUp.allCases)
    func onTime(_ catchUp: CatchUp) throws {
        for now in ["2026-01-01T03:00:00.000Z", "2026-01-01T03:01:00.000Z"] {
            let plan = try plan(now: now, catchUp)
            #expect(plan.ticks.map(\.withoutSeconds) == ["2026-01-01T03:00Z"])
            #expect(plan.next?.withoutSeconds == "2026-01-01T04:00Z")
            #expect((plan.skipped, plan.dropped) == (0, 0))
            #expect(plan.heldBack == nil)
        }
    }

    @Test(
        "after a night: none, the newest or all",
        arguments: [(CatchUp.skip, 0, 5), (.once, 1, 4), (.all, 5, 0)]
    )
    func missed(_ catchUp: CatchUp, _ made: Int, _ skipped: Int) throws {
        let plan = try plan(now: "2026-01-01T07:30:00Z", catchUp)
        let all = (3...7).map { "2026-01-01T0\($0):00Z" }
        #expect(plan.ticks.map(\.withoutSeconds) == all.suffix(made))
        #expect((plan.skipped, plan.dropped) == (skipped, 0))
        #expect(plan.next?.withoutSeconds == "2026-01-01T08:00Z")
    }

    @Test("a millisecond past the grace a tick is missed")
    func grace() throws {
        #expect(try plan(now: "2026-01-01T03:01:00.001Z", .skip).ticks == [])
        #expect(try plan(now: "2026-01-01T03:01:00.001Z", .skip).skipped == 1)
    }

    @Test("where a tick is on time, 'once' needs no missed one beside it")
    func onceOnTime() throws {
        let plan = try plan(now: "2026-01-01T07:00:10Z", .once)
        #expect(plan.ticks.map(\.withoutSeconds) == ["2026-01-01T07:00Z"])
        #expect(plan.skipped == 4)
        let often = try self.plan("every 20s", now: "2026-01-01T03:05:00Z", .once)
        #expect(
            often.ticks.map { $0.description.dropFirst(14) } == [
                "04:00.000Z", "04:20.000Z", "04:40.000Z", "05:00.000Z",
            ]
        )
    }

    @Test("of more than the bound the newest become tasks, and the rest is reported as dropped")
    func bound() throws {
        let plan = try plan(now: "2026-01-01T07:30:00Z", .all, bound: 2)
        #expect(plan.ticks.map(\.withoutSeconds) == ["2026-01-01T06:00Z", "2026-01-01T07:00Z"])
        #expect((plan.skipped, plan.dropped) == (0, 3))
    }

    @Test("a clock that jumps to 2100 makes no more than the bound, and loses count of nothing")
    func farFuture() throws {
        // 74 years of minutes: 18 of their Februaries have 29 days.
        let minutes = (74 * 365 + 18) * 1440 - 179
        let all = try plan("* * * * *", now: "2100-01-01T00:00:30Z", .all)
        #expect(all.ticks.count == 1000)
        #expect(all.ticks.last?.withoutSeconds == "2100-01-01T00:00Z")
        #expect(all.ticks.count + all.dropped == minutes)
        let once = try plan("* * * * *", now: "2100-01-01T00:00:30Z", .once)
        #expect(once.ticks.map(\.withoutSeconds) == ["2100-01-01T00:00Z"])
        #expect(once.skipped == minutes - 1)
    }

    @Test("a clock set back makes no tick twice, and says how far it is behind", arguments: CatchUp.allCases)
    func setBack(_ catchUp: CatchUp) throws {
        let plan = try plan(now: "2026-01-01T00:30:00Z", catchUp)
        #expect(plan.ticks == [])
        #expect(plan.next?.withoutSeconds == "2026-01-01T03:00Z")
        #expect(plan.heldBack == .seconds(5400))
    }

    @Test(
        "a due tick that was made is not made again: the hub died before it noted the next",
        arguments: CatchUp.allCases
    )
    func dueWasMade(_ catchUp: CatchUp) throws {
        let plan = try plan(lastMade: "2026-01-01T03:00:00Z", now: "2026-01-01T03:00:10Z", catchUp)
        #expect(plan.ticks == [])
        #expect(plan.skipped == 0)
        #expect(plan.next?.withoutSeconds == "2026-01-01T04:00Z")
    }

    @Test("a schedule made by a clock that was ahead is not held back by what it has not made")
    func madeAhead() throws {
        let plan = try plan(due: "2100-01-01T00:00:00Z", lastMade: nil, now: "2026-01-01T00:30:00Z")
        #expect(plan.ticks == [])
        #expect(plan.next?.withoutSeconds == "2026-01-01T01:00Z")
        #expect(plan.heldBack == nil)
    }

    @Test("a tick that was skipped in spring is caught up with like any other")
    func spring() throws {
        let berlin = try Timetable.zone(named: "Europe/Berlin")
        let spec = try ScheduleSpec(parsing: "30 2 * * *")
        let plan = CatchUpPlan(
            for: Timetable(spec: spec, zone: berlin, anchor: try time("2026-01-01T00:00:00Z")),
            due: try time("2026-03-29T01:00:00Z"),
            lastMade: nil,
            now: try time("2026-03-29T06:00:00Z"),
            catchUp: .once
        )
        #expect(plan.ticks.map(\.withoutSeconds) == ["2026-03-29T01:00Z"])
        #expect(plan.next?.withoutSeconds == "2026-03-30T00:30Z")
    }

    @Test(
        "whatever the clock does, no tick is made twice, none is lost under 'all', one late one at most under 'once'"
    )
    func histories() throws {
        for seed in 1...60 as ClosedRange<UInt64> {
            for catchUp in CatchUp.allCases {
                var history = try History(seed: seed, catchUp)
                try history.run()
            }
        }
    }
}

/// A schedule whose hub looks at it at random times, while somebody sets the clock forwards and back.
private struct History {
    var random: SeededRandom
    let catchUp: CatchUp
    let timetable: Timetable
    let start: Timestamp
    var now: Timestamp
    var due: Timestamp
    var made: [Timestamp] = []
    var label: Comment

    init(seed: UInt64, _ catchUp: CatchUp) throws {
        random = SeededRandom(seed: seed)
        self.catchUp = catchUp
        let specs = ["*/7 * * * *", "30 2 * * *", "0 */2 * * *", "every 11s", "every 50m", "0 0 1 * *"]
        let spec = try ScheduleSpec(parsing: specs.randomElement(using: &random) ?? "")
        let zone = try Timetable.zone(named: "Europe/Berlin")
        start = try time("2026-03-20T12:34:56.789Z")
        timetable = Timetable(spec: spec, zone: zone, anchor: start)
        now = start
        due = try #require(timetable.next(after: start))
        label = "'\(spec)' with \(catchUp.rawValue), seed \(seed)"
    }

    mutating func run() throws {
        var (earliest, latest) = (start, start)
        for _ in 0..<40 {
            now = now.adding(.milliseconds(jump()))
            let plan = CatchUpPlan(
                for: timetable,
                due: due,
                lastMade: made.last,
                now: now,
                catchUp: catchUp,
                bound: .max
            )
            check(plan)
            // Before the first tick nothing can come twice: a clock that is set back then is believed.
            if made.isEmpty { earliest = min(earliest, now) }
            made += plan.ticks
            latest = max(latest, now)
            due = try #require(plan.next)
        }
        #expect(made == made.sorted() && Set(made).count == made.count, label)
        if catchUp == .all {
            #expect(made == timetable.ticks(after: earliest, through: latest, limit: .max), label)
        }
    }

    private func check(_ plan: CatchUpPlan) {
        let missed = plan.ticks.filter { now.since($0) > CatchUpPlan.grace }
        switch catchUp {
        case .skip: #expect(missed == [], label)
        case .once: #expect(missed.isEmpty || plan.ticks.count == 1, label)
        case .all: #expect(plan.skipped == 0, label)
        }
        #expect(plan.dropped == 0, label)
        #expect(plan.ticks.allSatisfy { $0 <= now }, label)
        #expect(plan.next.map { $0 > now } == true, label)
    }

    /// Mostly on, a little or hours; sometimes back.
    private mutating func jump() -> Int64 {
        switch Int.random(in: 0..<10, using: &random) {
        case 0, 1: Int64.random(in: -4_000_000..<0, using: &random)
        case 2: Int64.random(in: 0..<60_000_000, using: &random)
        case 3...5: max(0, due.milliseconds - now.milliseconds)
        default: Int64.random(in: 0..<200_000, using: &random)
        }
    }
}
