import CKernels
import Foundation
import Testing

@Suite("Row-wise operations")
struct RowTests {
    static let columns = [1, 3, 16, 20, 63, 64, 65, 1280, 2051]

    @Test("RMS norm, also in place", arguments: tables)
    func rmsNorm(name: String) throws {
        let kernels = try kernels(name)
        let pool = try Pool(2)
        for columns in Self.columns {
            let (count, stride) = (21, columns + 2)
            var values = Values(seed: 1)
            let x = values.array(count * stride, scale: 3)
            let weight = values.array(columns)
            var y = x
            y.withUnsafeMutableBufferPointer {
                qv_rms_norm(
                    kernels, pool.pointer, Int64(count), Int64(columns), $0.baseAddress, Int64(stride), weight, 1e-6,
                    $0.baseAddress, Int64(stride))
            }
            for i in 0..<count {
                let row = x[(i * stride)..<(i * stride + columns)].map(Double.init)
                let mean = row.reduce(0) { $0 + $1 * $1 } / Double(columns)
                for j in 0..<columns {
                    let expected = row[j] / (mean + 1e-6).squareRoot() * Double(weight[j])
                    let tolerance = roundoff * (Double(columns).squareRoot() + 6) * abs(expected)
                    #expect(abs(Double(y[i * stride + j]) - expected) <= tolerance)
                }
                #expect(y[i * stride + columns] == x[i * stride + columns])
            }
        }
    }

    @Test("rotation of pairs half a head apart", arguments: tables, [20, 80, 128])
    func rotate(name: String, headSize: Int) throws {
        let kernels = try kernels(name)
        let pool = try Pool(2)
        let (count, heads) = (40, 3)
        let stride = heads * headSize + 7
        var values = Values(seed: 2)
        let x = values.array(count * stride)
        let angles = values.array(count * headSize / 2, scale: 3)
        let (cosine, sine) = (angles.map { cos($0) }, angles.map { sin($0) })
        var y = x
        qv_rotate(kernels, pool.pointer, Int64(count), &y, Int64(stride), Int32(heads), Int32(headSize), cosine, sine)
        let half = headSize / 2
        for i in 0..<count {
            for h in 0..<heads {
                for j in 0..<half {
                    let at = i * stride + h * headSize + j
                    let (a, b) = (Double(x[at]), Double(x[at + half]))
                    let (c, s) = (Double(cosine[i * half + j]), Double(sine[i * half + j]))
                    #expect(abs(Double(y[at]) - (a * c - b * s)) <= 3 * roundoff * (abs(a * c) + abs(b * s)))
                    #expect(abs(Double(y[at + half]) - (b * c + a * s)) <= 3 * roundoff * (abs(b * c) + abs(a * s)))
                }
            }
            for j in (heads * headSize)..<stride { #expect(y[i * stride + j] == x[i * stride + j]) }
        }
    }

    @Test("embedding reads every type exactly, at odd addresses", arguments: tables)
    func embed(name: String) throws {
        let kernels = try kernels(name)
        let pool = try Pool(2)
        let (rows, columns) = (50, 37)
        var values = Values(seed: 3)
        let bits = (0..<(rows * columns)).map { _ in UInt16(truncatingIfNeeded: Int32(values.next() * 0x1p20)) & 0xbbff
        }
        let ids: [Int32] = [49, 0, 7, 7, 31]
        for type in [QV_TYPE_F32, QV_TYPE_BF16, QV_TYPE_F16] {
            func value(_ bits: UInt16) -> Float {
                if type != QV_TYPE_F16 { return Float(bitPattern: UInt32(bits) << 16) }
                let (exponent, fraction) = (Int(bits >> 10 & 31), Float(bits & 0x3ff))
                let magnitude =
                    exponent == 0
                    ? fraction * 0x1p-24 : Float(sign: .plus, exponent: exponent - 25, significand: fraction + 1024)
                return bits >> 15 == 1 ? -magnitude : magnitude
            }
            let table: [UInt8] =
                [0]
                + bits.flatMap { bits -> [UInt8] in
                    type == QV_TYPE_F32
                        ? withUnsafeBytes(of: value(bits).bitPattern) { Array($0) }
                        : withUnsafeBytes(of: bits) { Array($0) }
                }
            var y = [Float](repeating: 0, count: ids.count * columns)
            table.withUnsafeBytes {
                qv_embed(
                    kernels, pool.pointer, Int64(ids.count), ids, $0.baseAddress! + 1, type, Int64(columns), &y,
                    Int64(columns))
            }
            for (i, id) in ids.enumerated() {
                for j in 0..<columns {
                    #expect(y[i * columns + j].bitPattern == value(bits[Int(id) * columns + j]).bitPattern)
                }
            }
        }
    }

    @Test("gather undoes scatter", arguments: tables)
    func gatherScatter(name: String) throws {
        let kernels = try kernels(name)
        let pool = try Pool(2)
        let (count, columns) = (1000, 33)
        var values = Values(seed: 4)
        let x = values.array(count * columns)
        let index = (0..<count).map { Int32($0 * 7 % count) }
        var scattered = [Float](repeating: 0, count: x.count)
        var gathered = scattered
        qv_scatter_rows(
            kernels, pool.pointer, Int64(count), index, Int64(columns), x, Int64(columns), &scattered, Int64(columns))
        qv_gather_rows(
            kernels, pool.pointer, Int64(count), index, Int64(columns), scattered, Int64(columns), &gathered,
            Int64(columns))
        #expect(Array(scattered[(7 * columns)..<(8 * columns)]) == Array(x[columns..<(2 * columns)]))
        #expect(gathered == x)
    }

    @Test("summary of logits", arguments: tables)
    func logits(name: String) throws {
        let kernels = try kernels(name)
        func summary(_ x: [Float]) -> (Int64, Float) {
            var (argmax, logSumExp) = (Int64(-7), Float(0))
            qv_logits_summary(kernels, Int64(x.count), x, &argmax, &logSumExp)
            return (argmax, logSumExp)
        }
        var values = Values(seed: 5)
        for count in [1, 15, 100, 151_936] {
            var x = values.array(count, scale: 20)
            let largest = try #require(x.max())
            x.append(largest)  // a tie: the first wins
            let (argmax, logSumExp) = summary(x)
            #expect(argmax == Int64(try #require(x.firstIndex(of: largest))))
            let expected = log(x.reduce(0) { $0 + exp(Double($1) - Double(largest)) }) + Double(largest)
            #expect(abs(Double(logSumExp) - expected) <= 8 * roundoff * max(1, abs(expected)))
        }
        var holed = values.array(40)
        holed[7] = .nan
        holed[8] = 5
        #expect(summary(holed).0 == 8)
        #expect(summary(holed).1.isNaN)
        #expect(summary([-.infinity, -.infinity]).0 == -1)
        #expect(summary([.nan]).0 == -1)
        #expect(summary([-.infinity, 0]) == (1, 0))
    }
}
