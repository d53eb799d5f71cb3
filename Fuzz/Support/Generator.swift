/// SplitMix64 (Steele et al. 2014): small, and the same everywhere.
package struct Generator: RandomNumberGenerator {
    private var state: UInt64

    /// Every input has random numbers of its own, so that it is found again without those before it.
    package init(seed: UInt64, iteration: UInt64) { state = seed &* 0x1000_0001 &+ iteration }

    package mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var z = state
        z = (z ^ (z >> 30)) &* 0xBF58_476D_1CE4_E5B9
        z = (z ^ (z >> 27)) &* 0x94D0_49BB_1331_11EB
        return z ^ (z >> 31)
    }
}
