import QwenVL
import QwenVLServer
import Synchronization
import Testing

/// What lies between the engine and a client that may be slow.
@Suite struct AnswerMailboxTests {
    private static func piece(_ text: String, _ ids: [Int]) -> GenerationEvent {
        .text(TextDelta(text: text, tokenIDs: ids, logprobs: []))
    }

    private static func told(_ events: [AnswerEvent]?) -> [String] {
        (events ?? []).map { event in
            switch event {
            case .choice(let number, .text(let delta)): "\(number) \(delta.text) \(delta.tokenIDs)"
            case .choice(let number, .prompt(let done, let total)): "\(number) prompt \(done) of \(total)"
            case .choice(let number, .finished): "\(number) finished"
            case .pause: "pause"
            }
        }
    }

    @Test func piecesThatWaitAreJoinedChoiceByChoice() async throws {
        let mailbox = AnswerMailbox()
        mailbox.put(.choice(0, .prompt(done: 4, total: 9)))
        for (number, text, id) in [(0, "a", 1), (1, "x", 7), (0, "b", 2), (1, "y", 8)] {
            mailbox.put(.choice(number, Self.piece(text, [id])))
        }
        #expect(Self.told(try await mailbox.next()) == ["0 prompt 4 of 9", "0 ab [1, 2]", "1 xy [7, 8]"])
        mailbox.put(.choice(0, Self.piece("c", [3])))
        mailbox.put(.pause)
        mailbox.put(.choice(0, Self.piece("", [4])))
        mailbox.end(.success(()))
        #expect(Self.told(try await mailbox.next()) == ["0 c [3, 4]", "pause"])
        #expect(try await mailbox.next() == nil)
    }

    @Test func whatCameIsReadBeforeTheError() async throws {
        let mailbox = AnswerMailbox()
        mailbox.put(.choice(0, Self.piece("a", [1])))
        mailbox.end(.failure(QwenVLError.busy(waiting: 3)))
        mailbox.put(.choice(0, Self.piece("late", [2])))
        mailbox.end(.success(()))
        #expect(Self.told(try await mailbox.next()) == ["0 a [1]"])
        for _ in 0..<2 { await #expect(throws: QwenVLError.self) { try await mailbox.next() } }
    }

    @Test func aReaderThatGivesUpEndsTheWork() async throws {
        let mailbox = AnswerMailbox()
        let ended = Mutex(0)
        mailbox.whenOver { ended.withLock { $0 += 1 } }
        let reader = Task { try await mailbox.next() }
        await Task.yield()
        reader.cancel()
        await #expect(throws: CancellationError.self) { try await reader.value }
        mailbox.end(.success(()))
        #expect(ended.withLock { $0 } == 1)
        mailbox.whenOver { ended.withLock { $0 += 1 } }
        #expect(ended.withLock { $0 } == 2)
    }

    @Test func aRestEndsWhenItIsTimeOrAtTheEnd() async throws {
        let mailbox = AnswerMailbox()
        // By the clock: what came meanwhile is one piece.
        await mailbox.rest { wake in
            mailbox.put(.choice(0, Self.piece("a", [1])))
            mailbox.put(.choice(0, Self.piece("b", [2])))
            wake()
            wake()
        }
        #expect(Self.told(try await mailbox.next()) == ["0 ab [1, 2]"])
        // By the end, whatever the clock says, and not by an old clock.
        let old = Mutex<(@Sendable () -> Void)?>(nil)
        await mailbox.rest { wake in
            old.withLock { $0 = wake }
            wake()
        }
        await mailbox.rest { _ in
            old.withLock { $0 }?()
            mailbox.put(.choice(0, Self.piece("c", [3])))
            mailbox.end(.success(()))
        }
        await mailbox.rest { _ in Issue.record("rests after the end") }
        #expect(Self.told(try await mailbox.next()) == ["0 c [3]"])
        #expect(try await mailbox.next() == nil)
    }

    /// Nothing is lost or out of order between threads.
    @Test func manyPiecesArriveInOrder() async throws {
        let mailbox = AnswerMailbox()
        let count = 20_000
        let writer = Task.detached {
            for id in 0..<count { mailbox.put(.choice(id % 3, Self.piece("", [id]))) }
            mailbox.end(.success(()))
        }
        var read: [[Int]] = [[], [], []]
        while let events = try await mailbox.next() {
            for case .choice(let number, .text(let delta)) in events { read[number] += delta.tokenIDs }
        }
        await writer.value
        for number in 0..<3 { #expect(read[number] == Array(stride(from: number, to: count, by: 3))) }
    }
}
