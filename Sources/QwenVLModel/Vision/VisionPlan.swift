import Checkpoint
import Foundation
import TensorCore

/// All that depends on a grid but not on its pixels: computed once per grid.
struct VisionPlan: Sendable {
    let grid: PatchGrid
    let partition: WindowPartition
    /// Angles' cosines and sines of every patch in window order, [patches, headSize / 2]: the first half of the
    /// columns turns with the patch's row, the second with its column (`rot_pos_emb` of the reference).
    let rotary: RotaryTable

    init(grid: PatchGrid, config: ModelConfig.Vision, backend: any Backend) {
        self.grid = grid
        let merge = config.mergeSize
        partition = WindowPartition(
            grid: grid, mergeSize: merge, cellsPerSide: config.windowCells)
        let frequencies = RotaryFrequencies(dimensions: config.headSize / 2, base: 10_000)
        let extent = max(grid.height, grid.width)
        let cosines = frequencies.table(positions: extent, Foundation.cos)
        let sines = frequencies.table(positions: extent, Foundation.sin)
        let places = Self.placesInWindowOrder(grid: grid, mergeSize: merge, order: partition.cellOrder)
        rotary = RotaryTable(
            cosine: Self.rows(of: cosines, at: places, width: frequencies.count, backend: backend),
            sine: Self.rows(of: sines, at: places, width: frequencies.count, backend: backend))
    }

    /// (row, column) of each patch, cells in window order, the patches of a cell row by row.
    private static func placesInWindowOrder(grid: PatchGrid, mergeSize: Int, order: [Int32]) -> [(Int, Int)] {
        let columns = grid.width / mergeSize
        let perFrame = columns * (grid.height / mergeSize)
        var places: [(Int, Int)] = []
        places.reserveCapacity(grid.patches)
        for cell in order {
            let inFrame = Int(cell) % perFrame
            let (top, left) = (inFrame / columns * mergeSize, inFrame % columns * mergeSize)
            for row in 0..<mergeSize {
                for column in 0..<mergeSize { places.append((top + row, left + column)) }
            }
        }
        return places
    }

    private static func rows(of table: [Float], at places: [(Int, Int)], width: Int, backend: any Backend) -> Tensor {
        var values: [Float] = []
        values.reserveCapacity(places.count * width * 2)
        for (row, column) in places {
            values += table[row * width..<(row + 1) * width]
            values += table[column * width..<(column + 1) * width]
        }
        return values.withUnsafeBufferPointer { backend.makeTensor($0, rows: places.count, columns: width * 2) }
    }
}
