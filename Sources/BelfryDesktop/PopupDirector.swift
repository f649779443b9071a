// The moving part of the desktop sink: it feeds the planner with events, time and what the server says,
// sends what the board wants sent, and does what people click.

import BelfryCore
import DBus
import Logging
import Synchronization

/// Runs one ``PopupPlanner`` against whatever server is there.
actor PopupDirector {
    /// What a shutdown may take; the issue is half a second for all of it.
    static let closingTime = Duration.milliseconds(400)
    /// Batches that are read for one look at the progress.
    static let batchesPerRefresh = 8

    /// What is to be done on the current connection.
    enum Work: Sendable {
        case send(PopupBoard.Effect)
        case click(PopupKey, PopupAction, Popup, activationToken: String?)
        /// An answer to a call that nobody waits for any more.
        case late(PopupBoard.Ticket, UInt32)
    }

    let parts: DesktopSink.Parts
    private var clocks: Clocks { parts.clocks }
    var logger: Logger { parts.logger }
    var planner: PopupPlanner
    /// Nil while there is no connection.
    private(set) var connection: DBusConnection?
    private var server: (any NotificationServer)?
    private var work: AsyncStream<Work>.Continuation?
    private var lastDelivered: EventCursor?
    /// What the next hub must know if this one is killed.
    private var leftovers: PopupLeftovers
    private var isLeftoverLogged = false
    /// The times that timers are set for and have not come yet.
    private(set) var armed: Set<Duration> = []
    /// Why popups reach nobody now; nil when they do, as far as is known.
    nonisolated let absence = Mutex<String?>(nil)
    private var isAbsenceLogged = false
    private var isContacted = false
    private var contactWaiters: [CheckedContinuation<Void, Never>] = []
    private var settleWaiters: [CheckedContinuation<Void, Never>] = []
    private let wakeups: AsyncStream<Void>
    private let wakeup: AsyncStream<Void>.Continuation
    private let timers: AsyncStream<Duration>
    private let timer: AsyncStream<Duration>.Continuation

    init(_ parts: DesktopSink.Parts) {
        self.parts = parts
        planner = PopupPlanner(PopupWriter(parts.configuration, sender: parts.sender(_:)))
        leftovers = PopupLeftovers(parts.leftoversPath)
        (wakeups, wakeup) = AsyncStream.makeStream(bufferingPolicy: .bufferingNewest(1))
        (timers, timer) = AsyncStream.makeStream()
    }

    private var moment: PopupPlanner.Moment { .init(now: clocks.lease.now, wall: clocks.wall.now) }

    // MARK: Running

    /// Keeps a connection and the popups on it until cancelled.
    func run() async {
        await withDiscardingTaskGroup { group in
            group.addTask { await self.connect() }
            group.addTask { for await _ in self.wakeups { await self.step() } }
            for await deadline in timers {
                group.addTask {
                    try? await self.parts.clocks.sleep(deadline - self.parts.clocks.lease.now)
                    await self.ring(deadline)
                }
            }
            group.cancelAll()
        }
    }

    private func connect() async {
        let reconnector = DBusReconnector(parts.address, sleep: clocks.sleep, random: clocks.random)
        await reconnector.run(
            whenDown: { error, failures in
                if failures == 1 { await self.noteDown(error) }
            },
            { connection, _ in await self.serve(await self.parts.choice.server(on: connection), connection) }
        )
    }

    /// Shows popups on one connection until it is lost.
    private func serve(_ server: any NotificationServer, _ connection: DBusConnection) async {
        let (stream, continuation) = AsyncStream<Work>.makeStream()
        self.connection = connection
        self.server = server
        work = continuation
        await withDiscardingTaskGroup { group in
            group.addTask { await server.run() }
            group.addTask {
                for await signal in server.signals { await self.take(signal) }
                await self.lose(continuation)
            }
            for await item in stream { group.addTask { await self.perform(item, on: server) } }
        }
    }

    private func lose(_ continuation: AsyncStream<Work>.Continuation) {
        planner.board.serverLost()
        connection = nil
        server = nil
        work = nil
        continuation.finish()
    }

    // MARK: What comes in

    /// Takes in a delivery. Delivered means considered: nothing here waits for a server.
    ///
    /// - Throws: ``SinkError/rejected(position:_:)`` for an event that cannot be read.
    func take(_ batch: SinkBatch) throws {
        for record in batch.events {
            // A batch that is delivered again must not be counted again.
            if let last = lastDelivered, last.epoch == record.cursor.epoch, record.position <= last.position {
                continue
            }
            do { try planner.take(record, at: moment) } catch {
                throw SinkError.rejected(position: record.position, "The event cannot be read: \(error)")
            }
            lastDelivered = record.cursor
        }
        if !batch.progress.isEmpty { planner.take(batch.progress, at: clocks.lease.now) }
        if batch.events.isEmpty { arm() } else { wakeup.yield() }
    }

    private func take(_ signal: ServerSignal) {
        switch signal {
        case .changed(let isPresent, let life):
            planner.board.serverChanged(isPresent: isPresent)
            // A hub that was killed, or a connection that was lost, has left them there.
            for id in leftovers.begin(life) { server?.close(id) }
            noteContact()
            if isPresent { notePresence() }
        case .closed(let id, let reason): act(on: planner.board.closed(id, reason))
        case .invoked(let id, let key): act(on: planner.board.invoked(id, key))
        case .activationToken(let id, let token): planner.board.received(activationToken: token, for: id)
        }
        wakeup.yield()
    }

    private func act(on notes: [PopupBoard.Note]) {
        for note in notes {
            switch note {
            case .closed(let key, let stage, let reason): planner.closed(key, stage, reason)
            case .clicked(let key, let action, let popup, let token):
                work?.yield(.click(key, action, popup, activationToken: token))
            }
        }
    }

    // MARK: What goes out

    /// Brings everything up to date and sends what is due.
    private func step() async {
        if planner.isRefreshDue(at: clocks.lease.now) {
            for id in planner.batchesToRead().prefix(Self.batchesPerRefresh) {
                do { planner.learn(id, try await parts.control.batch(id)) } catch {
                    logger.debug("a batch cannot be read", metadata: ["error": "\(error)"])
                }
            }
        }
        planner.refresh(at: moment)
        let effects = planner.board.due(at: clocks.lease.now)
        // Before anything goes out: an outcome must not be among what the next hub takes away. And not before
        // the server is known: until then the file says what the last hub left.
        if planner.board.server.isConnected { rememberLeftovers() }
        for effect in effects { work?.yield(.send(effect)) }
        if planner.board.isSettled || server == nil { settle() }
        arm()
    }

    private func rememberLeftovers() {
        guard !leftovers.keep(planner.board.progressIDs), !isLeftoverLogged else { return }
        isLeftoverLogged = true
        logger.notice(
            "the popups on the screen cannot be remembered; if the hub is killed, they stay",
            metadata: ["path": "\(parts.leftoversPath ?? "")"]
        )
    }

    private func ring(_ deadline: Duration) {
        armed.remove(deadline)
        wakeup.yield()
    }

    /// Sets a timer for what happens by itself next, unless one that rings before is set already. So there
    /// are few of them: each was set for an earlier time than all that were there.
    private func arm() {
        let now = clocks.lease.now
        guard let due = planner.nextDue(after: now) else { return }
        if due <= now {
            wakeup.yield()
        } else if armed.allSatisfy({ due < $0 }) {
            armed.insert(due)
            timer.yield(due)
        }
    }

    private func perform(_ work: Work, on server: any NotificationServer) async {
        switch work {
        case .send(.close(let id)): server.close(id)
        case .send(.startServer):
            if await !server.start() { noServer() }
        case .send(.notify(let ticket, let popup, let replacing, let generation)):
            let later = self.work
            do {
                let id = try await server.notify(popup, replacing: replacing, generation: generation) {
                    later?.yield(.late(ticket, $0))
                }
                answered(ticket, id)
            } catch { failed(ticket, error) }
        case .late(let ticket, let id): answered(ticket, id)
        case .click(let key, let action, let popup, let token): await click(key, action, popup, token)
        }
    }

    private func answered(_ ticket: PopupBoard.Ticket, _ id: UInt32) {
        act(on: planner.board.answered(ticket, id: id))
        if planner.board.server.isReachable, absence.withLock({ $0 != nil }) { notePresence() }
        wakeup.yield()
    }

    private func failed(_ ticket: PopupBoard.Ticket, _ error: NotifyError) {
        if case .refused = error.failure {
            logger.warning("the notification server refused a popup", metadata: ["error": "\(error.reason)"])
        }
        planner.board.failed(ticket, error.failure, at: clocks.lease.now)
        if planner.board.server.isHung {
            noteAbsence("the notification server does not answer", error.reason)
        }
        wakeup.yield()
    }

    private func noServer() {
        planner.board.couldNotStart(at: clocks.lease.now)
        noteAbsence("there is no notification server", "nobody owns \(FreedesktopServer.name)")
        wakeup.yield()
    }

    /// Shows a popup from outside the planner.
    func show(_ popup: Popup, for key: PopupKey) {
        planner.board.show(popup, for: key)
        wakeup.yield()
    }

    /// Shows a popup as a new one, also when the same is there already.
    func showAnew(_ popup: Popup, for key: PopupKey) {
        planner.board.withdraw(key)
        show(popup, for: key)
    }

    /// What serves now; nil when nobody does. A hub that has just begun is given the time to find out.
    func describeServer() async throws(NotifyError) -> ServerDescription? {
        await untilContact()
        guard let server else { return nil }
        if !planner.board.server.isPresent, await !server.start() { return nil }
        return try await server.describe()
    }

    private func untilContact() async {
        guard !isContacted else { return }
        await withCheckedContinuation { contactWaiters.append($0) }
    }

    /// It is known whether there is a server, for the first time.
    private func noteContact() {
        isContacted = true
        for waiter in contactWaiters { waiter.resume() }
        contactWaiters = []
    }

    // MARK: Absence, told once

    private func noteDown(_ error: DBusError) {
        noteAbsence("there is no session bus", error.message)
        noteContact()
    }

    private func noteAbsence(_ what: String, _ reason: String) {
        absence.withLock { $0 = what }
        guard !isAbsenceLogged else { return }
        isAbsenceLogged = true
        logger.notice(
            "no popups for now: \(what); they appear when there is one",
            metadata: ["reason": "\(reason)"]
        )
    }

    private func notePresence() {
        absence.withLock { $0 = nil }
        if isAbsenceLogged { logger.notice("there is a notification server: popups appear") }
        isAbsenceLogged = false
    }

    // MARK: The end

    /// Takes away what says that work goes on and lets outcomes out, within ``closingTime``.
    func close() async {
        planner.board.isHurrying = true
        planner.stopProgress()
        planner.board.withdrawProgress()
        await withTaskGroup { group in
            group.addTask { await self.letOut() }
            group.addTask { try? await self.clocks.sleep(Self.closingTime) }
            await group.next()
            // Both at once: who does not wait yet sees that the task is cancelled, and does not begin to.
            settle()
            group.cancelAll()
        }
    }

    /// Returns when all that is wanted is confirmed and with the bus, or the task is cancelled.
    private func letOut() async {
        guard !Task.isCancelled else { return }
        await withCheckedContinuation { continuation in
            settleWaiters.append(continuation)
            wakeup.yield()
        }
        await server?.flush()
    }

    private func settle() {
        for waiter in settleWaiters { waiter.resume() }
        settleWaiters = []
    }
}
