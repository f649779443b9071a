// How a task is to be run, as options that run, add, batch, edit and schedule share.

import ArgumentParser
import BelfryAPI
import BelfryCore

struct TaskSettings: ParsableArguments {
    @Option(name: .customLong("label"), help: "A label; may be given several times.")
    var labels: [String] = []

    @Option(parsing: .unconditional, help: "Higher runs first, -1000 to 1000. Defaults to 0.")
    var priority: Int?

    @Option(help: ArgumentHelp("The group, which shares a limit; see: belfry group list.", valueName: "name"))
    var group: String?

    @Option(
        name: .customLong("need"),
        help: ArgumentHelp(
            "What it occupies while it runs, such as gpu=1, memory=8G or slots=2; may be given several times.",
            valueName: "name=amount"
        )
    )
    var needs: [String] = []

    @Option(
        name: .customLong("delay"),
        help: ArgumentHelp("Start so much later, such as 10m or 1h30m.", valueName: "duration")
    )
    var delay: String?

    @Option(
        help: ArgumentHelp(
            "Start at this time at the earliest, such as 22:30 or 2026-12-01T08:00.",
            valueName: "time"
        )
    )
    var at: String?

    @Option(help: ArgumentHelp("Attempts in all before a failure is final.", valueName: "n"))
    var attempts: Int?

    @Option(
        help: ArgumentHelp(
            "The wait before the second attempt; each is twice as long as the one before.",
            valueName: "duration"
        )
    )
    var retryDelay: String?

    @Option(help: ArgumentHelp("No wait between attempts is longer.", valueName: "duration"))
    var retryMaxDelay: String?

    @Option(
        help: ArgumentHelp(
            "An error code that is tried again all the same; * is all of them. May be given several times.",
            valueName: "code"
        )
    )
    var retryOn: [String] = []

    @Option(help: ArgumentHelp("An error code that is final; may be given several times.", valueName: "code"))
    var giveUpOn: [String] = []

    @Option(help: ArgumentHelp("The longest that an attempt may take.", valueName: "duration"))
    var timeout: String?

    @Option(
        help: ArgumentHelp("The longest that an attempt may give no sign of life.", valueName: "duration")
    )
    var idleTimeout: String?

    @Option(
        help: ArgumentHelp("It fails if it is not done so long after its submission.", valueName: "duration")
    )
    var within: String?

    @Option(help: ArgumentHelp("It fails if it is not done by this time.", valueName: "time"))
    var deadline: String?

    @Option(help: ArgumentHelp("What popups tell of it.", valueName: "full|outcome|none"))
    var notify: String?

    /// The settings as members of a submission or a change.
    func members() throws -> JSONObject {
        var object = JSONObject()
        if !labels.isEmpty { object["labels"] = .array(labels.map { .string($0) }) }
        object.set("priority", priority.map { .int(Int64($0)) })
        object.set("group", group.map { .string($0) })
        if !needs.isEmpty {
            var parsed = TaskNeeds()
            for need in needs { try parsed.add(need) }
            object["needs"] = parsed.json
        }
        object.set("delaySeconds", try delay.map { .double(try Durations.seconds($0, "--delay")) })
        object.set("notBefore", try at.map { .string(try start($0).description) })
        object.set("maxAttempts", attempts.map { .int(Int64($0)) })
        object.set(
            "attemptTimeoutSeconds",
            try timeout.map { .double(try Durations.seconds($0, "--timeout")) }
        )
        object.set(
            "idleTimeoutSeconds",
            try idleTimeout.map { .double(try Durations.seconds($0, "--idle-timeout")) }
        )
        object.set("timeoutSeconds", try within.map { .double(try Durations.seconds($0, "--within")) })
        object.set("deadline", try deadline.map { .string(try Times.next($0).description) })
        object.set("notify", notify.map { .string($0) })
        object.set("retry", try retryPolicy())
        return object
    }

    /// A start in the past is no mistake that does harm: it is told of, and means at once.
    private func start(_ text: String) throws -> Timestamp {
        let time = try Times.next(text)
        if time < SystemWallClock().now {
            Output.note("belfry: --at \(text) is past; it starts as soon as it can")
        }
        return time
    }

    private func retryPolicy() throws -> JSONValue? {
        guard retryDelay != nil || retryMaxDelay != nil || !retryOn.isEmpty || !giveUpOn.isEmpty else {
            return nil
        }
        var policy = RetryPolicy()
        if let retryDelay {
            policy.initialDelay = .seconds(try Durations.seconds(retryDelay, "--retry-delay"))
        }
        policy.maxDelay = max(policy.maxDelay, policy.initialDelay)
        if let retryMaxDelay {
            policy.maxDelay = .seconds(try Durations.seconds(retryMaxDelay, "--retry-max-delay"))
        }
        policy.maxAttempts = attempts ?? policy.maxAttempts
        policy.retryOn = retryOn
        policy.giveUpOn = giveUpOn
        return policy.json
    }
}

/// What only a submission can say.
struct SubmissionRules: ParsableArguments {
    @Option(help: ArgumentHelp("Run it after this task; may be given several times.", valueName: "task"))
    var after: [String] = []

    @Option(
        help: ArgumentHelp(
            "When one that it comes after fails: fail, or run all the same.",
            valueName: "fail|run"
        )
    )
    var ifFailed: String?

    @Flag(help: "Put it aside; belfry release lets it go.")
    var stash = false

    @Flag(help: "Not while another does the same: same feature, same parameters.")
    var unique = false

    @Option(
        help: ArgumentHelp("Not again within so long after another that did the same.", valueName: "duration")
    )
    var uniqueFor: String?

    @Option(
        help: ArgumentHelp(
            "Only these parameters count as the same; separated by commas.",
            valueName: "names"
        )
    )
    var uniqueParams: String?

    @Option(
        help: ArgumentHelp(
            "When there is one that does the same: refuse the new one, answer with the old one, or cancel the old one.",
            valueName: "reject|keep|replace"
        )
    )
    var ifSame: String?

    @Option(help: "Whose task it is; users can take turns (worker.fairness).")
    var user: String?

    func members() throws -> JSONObject {
        var object = JSONObject()
        if !after.isEmpty { object["after"] = .array(after.map { .string($0) }) }
        object.set("onDependencyFailure", ifFailed.map { .string($0) })
        if stash { object["stashed"] = true }
        object.set("userId", user.map { .string($0) })
        object.set("unique", try uniqueRule()?.json)
        return object
    }

    private func uniqueRule() throws -> UniqueRule? {
        guard unique || uniqueFor != nil || uniqueParams != nil || ifSame != nil else { return nil }
        var rule = UniqueRule()
        if let uniqueFor {
            rule.period = .seconds(try Durations.seconds(uniqueFor, "--unique-for"))
            rule.statuses.insert(.completed)
        }
        rule.params = uniqueParams?.split(separator: ",").map(String.init)
        if let ifSame {
            guard let conflict = UniqueRule.Conflict(rawValue: ifSame) else {
                throw ValidationError("--if-same takes reject, keep or replace, not '\(ifSame)'.")
            }
            rule.onConflict = conflict
        }
        return rule
    }
}
