// The cases of an MCP server: what it agrees to, what it lists, its examples, and how it ends.

import BelfryCore
import Synchronization

extension PluginTest {
    private var id: String { plugin.manifest.id }

    /// Tests the server: its examples in one process, and each cancelled call in another.
    func testServer(_ tell: (Case) -> Void) async {
        let tap = ServerTap()
        let served: ServerTrial.Served<[MCPFeature]>
        do {
            served = try await serverTrial(tap).serve {
                try await examples(in: $0, tap, tell)
            }
        } catch { return }
        tell(Case(id, "says only lines of the protocol on stdout", cleanness(tap.garbage)))
        guard case .success(let features) = served.answer else { return }
        tell(farewell(served.farewell, grace: plugin.manifest.limits.cancelGrace))
        for feature in features {
            guard let example = trials(of: feature).first else { continue }
            tell(await cancellation(feature, example))
        }
    }

    private func serverTrial(_ tap: ServerTap? = nil) -> ServerTrial {
        ServerTrial(
            plugin,
            launcher: configuration.launcher,
            environment: configuration.environment,
            secrets: configuration.secrets,
            workingDirectory: plugin.directory,
            trace: tap.map { $0.take }
        )
    }

    // MARK: Its start

    private func examples(in server: MCPServer, _ tap: ServerTap, _ tell: (Case) -> Void) async throws
        -> [MCPFeature]
    {
        let start = clocks.lease.now
        let ready: MCPServer.Ready
        do { ready = try await server.ready() } catch {
            tell(Case(id, "starts, speaks MCP and lists its tools", failed(error)))
            throw error
        }
        let seconds = (clocks.lease.now - start).seconds
        let how = ready.agreement.era == .modern ? "by server/discover" : "by initialize"
        tell(Case(id, "speaks MCP \(ready.agreement.revision), agreed \(how)", .passed, seconds: seconds))
        let (features, missing) = serverTrial().offer(ready.tools)
        tell(Case(id, "lists its tools", features.isEmpty ? Self.noTools : .passed))
        for (feature, problem) in missing.sorted(by: { $0.key < $1.key }) {
            tell(Case(feature, "is a tool of the server", .failed(problem.reason, fix: problem.fix)))
        }
        for feature in features {
            tell(Case(feature.descriptor.id, "has a schema that is checked", schema(feature)))
            for found in await cases(of: feature, in: server, tap) { tell(found) }
        }
        return features
    }

    private static let noTools = Case.Outcome.failed("there are none", fix: "Give the server a tool.")

    private func schema(_ feature: MCPFeature) -> Case.Outcome {
        do {
            _ = try JSONSchema(feature.descriptor.paramsSchema)
            return .passed
        } catch {
            return .warned(
                "parameters are passed on unchecked: \((error as? BelfryError)?.message ?? "\(error)")",
                fix: "Docs/ParamsSchema.md says what is checked; write \"params\" in plugin.json."
            )
        }
    }

    /// Tools that the manifest does not name may do anything: they are not called unasked.
    private func trials(of feature: MCPFeature) -> [PluginManifest.Example] {
        guard var entry = plugin.manifest.features.first(where: { $0.id == feature.descriptor.id }) else {
            return []
        }
        entry.paramsSchema = feature.descriptor.paramsSchema
        return entry.trials
    }

    // MARK: Its examples

    private func cases(of feature: MCPFeature, in server: MCPServer, _ tap: ServerTap) async -> [Case] {
        let trials = trials(of: feature)
        guard !trials.isEmpty else {
            let why = "it has no examples in plugin.json"
            return [Case(feature.descriptor.id, "does what its examples say", .skipped(why))]
        }
        var cases: [Case] = []
        for (index, example) in trials.enumerated() {
            let title = example.title.isEmpty ? "example \(index + 1)" : example.title
            let start = clocks.lease.now
            _ = tap.takeProgress()
            let outcome = await outcome(feature, example, "\(index + 1)", in: server)
            let seconds = (clocks.lease.now - start).seconds
            cases.append(Case(feature.descriptor.id, "completes (\(title))", outcome, seconds: seconds))
            cases += progress(feature, tap.takeProgress(), title)
        }
        return cases
    }

    private func outcome(
        _ feature: MCPFeature,
        _ example: PluginManifest.Example,
        _ number: String,
        in server: MCPServer
    ) async -> Case.Outcome {
        let trial = serverTrial()
        let outcome = await bounded { [self] in
            do {
                let context = try Trial.context(feature, directory(feature, number))
                _ = try await trial.call(feature, example.params, context, in: server)
                return Case.Outcome.passed
            } catch { return failed(error) }
        }
        let why = "it did not end within \(configuration.timeout.seconds) s"
        return outcome ?? .failed(why, fix: "Give it more time: --timeout SECONDS")
    }

    private func directory(_ feature: MCPFeature, _ name: String) -> String {
        "\(configuration.scratch)/\(feature.descriptor.id.replacing("/", with: "-"))-\(name)"
    }

    private func progress(
        _ feature: MCPFeature,
        _ seen: (values: [Double], excess: String?),
        _ title: String
    ) -> [Case] {
        guard !seen.values.isEmpty else { return [] }
        let name = "says progress that only rises, to its total (\(title))"
        if let excess = seen.excess {
            return [Case(feature.descriptor.id, name, .failed("it said \(excess)", fix: "The total is all."))]
        }
        return [Case(feature.descriptor.id, name, rising(seen.values))]
    }

    // MARK: Its end

    func farewell(_ took: Duration?, grace: Duration) -> Case {
        let name = "ends with the end of its input"
        guard let took else { return Case(id, name, .skipped("it had ended before")) }
        guard took >= grace else { return Case(id, name, .passed, seconds: took.seconds) }
        return Case(
            id,
            name,
            .failed(
                "it was still there \(grace.seconds) s later and got SIGTERM",
                fix: "End when stdin ends."
            ),
            seconds: took.seconds
        )
    }

    private enum Moment: Sendable {
        case ended
        case toCancel
    }

    private func cancellation(_ feature: MCPFeature, _ example: PluginManifest.Example) async -> Case {
        let name = "ends a call that is cancelled"
        let tap = ServerTap()
        let trial = serverTrial(tap)
        let wasEnded = Mutex(false)
        do {
            let served = try await trial.serve(
                onRemark: { _ in wasEnded.withLock { $0 = true } },
                { server in
                    _ = try await server.ready()
                    return try await cancelled(feature, example, trial, in: server)
                }
            )
            guard let took = try served.answer.get() else {
                return Case(
                    feature.descriptor.id,
                    name,
                    .skipped("it ended before it could be cancelled")
                )
            }
            let outcome = wasEnded.withLock { $0 } ? Self.deaf : judged(tap.cancelled)
            return Case(feature.descriptor.id, name, outcome, seconds: took.seconds)
        } catch { return Case(feature.descriptor.id, name, failed(error)) }
    }

    private static let deaf = Case.Outcome.warned(
        "it was not answered within the grace, so the server was ended, as the hub will do",
        fix: "Answer cancelled calls; or, if they do end: \"stops_when_cancelled\": true in \"runner\"."
    )

    private func judged(_ answer: ServerTap.CancelledAnswer) -> Case.Outcome {
        switch answer {
        case .failure: .passed
        case .result: unjudged
        case .nothing where plugin.manifest.runner.stopsWhenCancelled:
            .skipped("the manifest says that it does (stops_when_cancelled), and nothing shows it")
        case .nothing: .skipped("it was not answered, and nothing shows that cancelling ended it")
        case .notCancelled: .skipped("it ended before it could be cancelled")
        }
    }

    /// - Returns: how long the call occupied the server after it was cancelled; nil when it had ended before.
    private func cancelled(
        _ feature: MCPFeature,
        _ example: PluginManifest.Example,
        _ trial: ServerTrial,
        in server: MCPServer
    ) async throws -> Duration? {
        let (signs, sign) = AsyncStream.makeStream(of: Void.self)
        let done = Latch<Void>()
        let context = try Trial.context(
            feature,
            directory(feature, "cancelled"),
            onProgress: { _, _ in sign.yield() },
            onLog: { _ in sign.yield() }
        )
        let start: Duration? = await withTaskGroup(of: Moment.self) { group in
            group.addTask {
                _ = try? await trial.call(feature, example.params, context, in: server) {
                    done.settle(.success(()))
                }
                return .ended
            }
            group.addTask {
                await firstSign(signs)
                return .toCancel
            }
            defer { group.cancelAll() }
            guard case .toCancel = await group.next() else { return nil }
            return clocks.lease.now
        }
        guard let start else { return nil }
        try await done.value()
        return clocks.lease.now - start
    }
}
