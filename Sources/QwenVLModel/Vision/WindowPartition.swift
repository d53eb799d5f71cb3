/// The order in which the vision tower keeps a picture's merged cells, so that each attention window is one run of rows.
///
/// A cell is mergeSize × mergeSize patches, which lie together from the processor on. Windows are square; those at the
/// right and bottom edges are smaller. Source: `get_window_index` of the reference.
struct WindowPartition: Sendable {
    /// cellOrder[i] is the cell that comes i-th in window order.
    let cellOrder: [Int32]
    /// Row boundaries of windows in patches, for the windowed blocks.
    let windowSegments: [Int32]
    /// Row boundaries of whole frames in patches, for the blocks with full attention.
    let frameSegments: [Int32]

    /// - Parameter cellsPerSide: cells along a window's side (4: 112 pixels of 28).
    init(grid: PatchGrid, mergeSize: Int, cellsPerSide: Int) {
        let (rows, columns) = (grid.height / mergeSize, grid.width / mergeSize)
        let patchesPerCell = mergeSize * mergeSize
        var order: [Int32] = []
        order.reserveCapacity(grid.frames * rows * columns)
        var windows: [Int32] = [0]
        for frame in 0..<grid.frames {
            for top in stride(from: 0, to: rows, by: cellsPerSide) {
                for left in stride(from: 0, to: columns, by: cellsPerSide) {
                    for row in top..<min(top + cellsPerSide, rows) {
                        for column in left..<min(left + cellsPerSide, columns) {
                            order.append(Int32((frame * rows + row) * columns + column))
                        }
                    }
                    windows.append(Int32(order.count * patchesPerCell))
                }
            }
        }
        cellOrder = order
        windowSegments = windows
        frameSegments = (0...grid.frames).map { Int32($0 * grid.height * grid.width) }
    }
}
