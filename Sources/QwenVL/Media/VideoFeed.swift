import Foundation
import Synchronization
import VisionInput

/// Decodes a long video on a thread of its own, some slices of time ahead of who takes them.
final class VideoFeed: @unchecked Sendable {
    // Sendable: everything that changes is guarded by the condition.
    private let condition = NSCondition()
    private var slices: [[Float]] = []
    private var bytes = 0
    private var isStopped = false
    private var end: Result<Void, any Error>?
    /// The slice that is taken next.
    private(set) var next: Int

    /// What lies ready for who takes it: enough that neither waits for the other over an uneven stretch.
    private static let bytesAhead = 64 << 20

    /// - Parameter onChange: called on the feed's thread when there is something new to take.
    init(_ plan: VideoPlan, config: ImageProcessorConfig, first: Int, onChange: @escaping @Sendable () -> Void) {
        next = first
        let thread = Thread { [weak self] in
            Self.run(VideoSliceReader(plan, config: config, first: first), into: { [weak self] in self }, onChange)
        }
        thread.name = "qwenvl video"
        // libavcodec and libswscale use more stack than the 512 KiB of a secondary thread leave.
        thread.stackSize = 8 << 20
        thread.start()
    }

    deinit { stop() }

    /// The thread ends after the slice at hand.
    func stop() {
        condition.lock()
        isStopped = true
        slices = []
        condition.broadcast()
        condition.unlock()
    }

    enum Taken {
        /// [grid.height * grid.width, patch elements]
        case slice([Float])
        /// Not decoded yet.
        case waiting
    }

    /// Takes the slice `next`.
    /// - Throws: what stopped the decoder before it.
    func take() throws -> Taken {
        condition.lock()
        defer { condition.unlock() }
        guard !slices.isEmpty else {
            if let end {
                try end.get()
                throw QwenVLError.picture(field: "video", reason: "it ends before its time")
            }
            return .waiting
        }
        let slice = slices.removeFirst()
        bytes -= slice.count * 4
        next += 1
        condition.signal()
        return .slice(slice)
    }

    /// Holds the feed only while it hands something over, so that a forgotten feed ends its thread.
    private static func run(
        _ reader: VideoSliceReader, into feed: () -> VideoFeed?, _ onChange: @Sendable () -> Void
    ) {
        do {
            while let slice = try reader.readSlice() {
                guard let feed = feed(), feed.put(slice) else { return }
                onChange()
            }
            feed()?.finish(.success(()))
        } catch {
            feed()?.finish(.failure(error))
        }
        onChange()
    }

    private func put(_ slice: [Float]) -> Bool {
        condition.lock()
        defer { condition.unlock() }
        while !isStopped, !slices.isEmpty, bytes + slice.count * 4 > Self.bytesAhead { condition.wait() }
        guard !isStopped else { return false }
        slices.append(slice)
        bytes += slice.count * 4
        return true
    }

    private func finish(_ result: Result<Void, any Error>) {
        condition.lock()
        end = result
        condition.unlock()
    }
}

/// Lets one task sleep until somebody has news.
final class Wakeup: Sendable {
    private enum State {
        case quiet
        case news
        case asleep(CheckedContinuation<Void, Never>)
    }
    private let state = Mutex(State.quiet)

    func notify() {
        let sleeper = state.withLock { state -> CheckedContinuation<Void, Never>? in
            if case .asleep(let continuation) = state {
                state = .quiet
                return continuation
            }
            state = .news
            return nil
        }
        sleeper?.resume()
    }

    /// Returns at once where there has been news since the last time.
    func wait() async {
        await withCheckedContinuation { continuation in
            let isNews = state.withLock { state -> Bool in
                if case .news = state {
                    state = .quiet
                    return true
                }
                state = .asleep(continuation)
                return false
            }
            if isNews { continuation.resume() }
        }
    }
}
