/// Samples of a component that a JPEG holds at less than the picture's size.
struct SubsampledPlane {
    let samples: [Int16]
    /// Samples from one row to the next; those beyond `width` are padding.
    let stride: Int
    let width: Int
    let height: Int

    /// One sample for each pixel, as libjpeg makes them: where the picture is twice as large, three quarters of the nearest
    /// and one of the next ("fancy upsampling"), else the nearest.
    func enlarged(across: Int, down: Int, to size: PixelSize) -> [Int16] {
        let isSmooth = (across == 2 && width > 2 && down <= 2) || (across == 1 && down == 2)
        var result = [Int16](repeating: 0, count: size.width * size.height)
        for y in 0..<size.height {
            let near = min(y / down, height - 1)
            let far = down == 2 && isSmooth ? max(0, min(height - 1, y % 2 == 0 ? near - 1 : near + 1)) : near
            for x in 0..<size.width {
                let value: Int
                if !isSmooth {
                    value = sample(min(x / across, width - 1), near)
                } else if across == 1 {
                    value = (3 * sample(x, near) + sample(x, far) + (y % 2 == 0 ? 1 : 2)) >> 2
                } else {
                    value = between(x, near, far, isTwofold: down == 2)
                }
                result[y * size.width + x] = Int16(value)
            }
        }
        return result
    }

    /// Rounds up and down in turns, so that no side is favoured.
    private func between(_ x: Int, _ near: Int, _ far: Int, isTwofold: Bool) -> Int {
        let column = min(x / 2, width - 1)
        let beside = max(0, min(width - 1, x % 2 == 0 ? column - 1 : column + 1))
        if !isTwofold {
            return (3 * sample(column, near) + sample(beside, near) + (x % 2 == 0 ? 1 : 2)) >> 2
        }
        let own = 3 * sample(column, near) + sample(column, far)
        return (3 * own + 3 * sample(beside, near) + sample(beside, far) + (x % 2 == 0 ? 8 : 7)) >> 4
    }

    private func sample(_ x: Int, _ y: Int) -> Int { Int(samples[y * stride + x]) }
}
