import Foundation

/// One thread of its own on which the engine's work runs: kernels must not hold up Swift's cooperative pool,
/// and a backend has one user at a time.
final class ComputeThread: SerialExecutor, @unchecked Sendable {
    // Sendable: the queue is guarded by the condition.
    private let condition = NSCondition()
    private var jobs: [UnownedJob] = []
    private var stopped = false

    init(name: String) {
        // The thread keeps the queue alive until it is told to stop.
        let thread = Thread { [queue = Queue(self)] in queue.run() }
        thread.name = name
        // Deep call chains through generic Swift code; the default 512 KiB of a secondary thread is tight.
        thread.stackSize = 4 << 20
        thread.start()
    }

    func enqueue(_ job: consuming ExecutorJob) {
        let job = UnownedJob(job)
        condition.lock()
        jobs.append(job)
        condition.signal()
        condition.unlock()
    }

    func asUnownedSerialExecutor() -> UnownedSerialExecutor { UnownedSerialExecutor(ordinary: self) }

    /// Whether somebody else wants the thread.
    var isWaitedFor: Bool {
        condition.lock()
        defer { condition.unlock() }
        return !jobs.isEmpty
    }

    /// Ends the thread once its queue is empty.
    func stop() {
        condition.lock()
        stopped = true
        condition.signal()
        condition.unlock()
    }

    private func next() -> UnownedJob? {
        condition.lock()
        defer { condition.unlock() }
        while jobs.isEmpty {
            if stopped { return nil }
            condition.wait()
        }
        return jobs.removeFirst()
    }

    /// What the thread runs.
    private struct Queue: @unchecked Sendable {
        let executor: ComputeThread
        init(_ executor: ComputeThread) { self.executor = executor }
        func run() {
            while let job = executor.next() {
                job.runSynchronously(on: executor.asUnownedSerialExecutor())
            }
        }
    }
}
