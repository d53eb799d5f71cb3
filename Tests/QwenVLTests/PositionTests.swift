import Foundation
import QwenVLModel
import Testing

/// Position ids against Transformers 4.49.0: text, pictures, videos at several rates, mixed.
@Suite struct PositionTests {
    private struct Case: Decodable {
        let name: String
        let tokens_per_second: Int
        let input_ids: [[Int]]
        let attention_mask: [[Int]]
        let position_ids: [[[Int32]]]
        let rope_deltas: [Int]
        let image_grid_thw: [[Int]]?
        let video_grid_thw: [[Int]]?
        let second_per_grid_ts: [Float]?
    }
    private struct Config: Decodable {
        let image_token_id: Int
        let video_token_id: Int
    }

    @Test func equalToTheReference() throws {
        let cases: [Case] = try FixtureLibrary.golden("positions")
        let file = try FixtureLibrary.root.appending(path: "Checkpoints/tied-bfloat16/config.json")
        let config = try JSONDecoder().decode(Config.self, from: Data(contentsOf: file))
        #expect(cases.count >= 12)
        for test in cases {
            var (images, videos) = (0, 0)
            for (row, ids) in test.input_ids.enumerated() {
                let padding = test.attention_mask[row].count { $0 == 0 }
                var spans: [PromptSpan] = []
                var place = padding
                while place < ids.count {
                    let grid: PatchGrid
                    if ids[place] == config.image_token_id {
                        let extents = try #require(test.image_grid_thw?[images])
                        images += 1
                        grid = PatchGrid(frames: extents[0], height: extents[1], width: extents[2])
                        spans.append(.image(grid))
                    } else if ids[place] == config.video_token_id {
                        let extents = try #require(test.video_grid_thw?[videos])
                        let seconds = try #require(test.second_per_grid_ts?[videos])
                        videos += 1
                        grid = PatchGrid(frames: extents[0], height: extents[1], width: extents[2])
                        spans.append(.video(grid, secondsPerGrid: seconds))
                    } else {
                        spans.append(.text(count: 1))
                        place += 1
                        continue
                    }
                    place += grid.tokens(mergeSize: 2)
                }
                let positions = MRoPEPositions(spans: spans, mergeSize: 2, tokensPerSecond: test.tokens_per_second)
                let place2: Comment = "\(test.name), row \(row)"
                for (axis, found) in [positions.time, positions.height, positions.width].enumerated() {
                    #expect(found == Array(test.position_ids[axis][row].dropFirst(padding)), place2)
                }
                #expect(Int(positions.next) - ids.count == test.rope_deltas[row], place2)
            }
        }
    }
}
