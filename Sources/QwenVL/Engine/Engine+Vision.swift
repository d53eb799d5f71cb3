import QwenVLModel
import TensorCore

/// A picture on its way through the vision tower.
struct VisionEncoding {
    let key: PatchKey
    var pass: VisionPass
}

/// Pictures and videos: rows for the language model, made once for each content.
extension Engine {
    /// Time for pictures in one step. Who reads an answer does not notice a tenth of a second; a large picture takes
    /// many seconds as a whole.
    private static let slice = Duration.milliseconds(100)

    /// Finds or makes rows of the pictures that prompts have come to, some blocks of the tower at a time.
    func encodePictures() {
        for sequence in running where sequence.isReadingPrompt || sequence.pending > 1 {
            while let picture = sequence.missingPicture(within: options.prefillChunk) {
                guard let known = visionCache[picture.key] else { break }
                sequence.vision[picture.key] = known
                counted.visionReused += 1
            }
        }
        let start = ContinuousClock.now
        repeat {
            guard let (sequence, picture) = nextPicture() else { return }
            work(on: picture, for: sequence)
            // A dump shows the first pass whole.
        } while dump != nil || start.duration(to: .now) < Self.slice
    }

    /// The picture under way if anybody needs it still, else the first that is needed.
    private func nextPicture() -> (RunningSequence, PreparedMedia)? {
        var first: (RunningSequence, PreparedMedia)?
        for sequence in running where !isComputedByAnother(sequence) {
            guard let picture = sequence.missingPicture(within: options.prefillChunk) else { continue }
            if picture.key == encoding?.key { return (sequence, picture) }
            if first == nil { first = (sequence, picture) }
        }
        encoding = nil
        return first
    }

    /// Whether there is a picture for the tower to work on.
    var isPictureNeeded: Bool {
        running.contains { !isComputedByAnother($0) && $0.missingPicture(within: options.prefillChunk) != nil }
    }

    var visionTrace: ActivationTrace? { visionClock?.trace ?? dump?.trace }

    private func work(on picture: PreparedMedia, for sequence: RunningSequence) {
        let start = ContinuousClock.now
        defer { sequence.timings.vision += start.duration(to: .now).seconds }
        guard var current = encoding else {
            guard case .patches(let values) = picture.content else { return }
            let patches = values.withUnsafeBufferPointer {
                backend.makeTensor($0, rows: picture.grid.patches, columns: $0.count / picture.grid.patches)
            }
            visionClock?.begin()
            let pass = model.beginEncoding(patches, grid: picture.grid, backend: backend, trace: visionTrace)
            encoding = VisionEncoding(key: picture.key, pass: pass)
            return
        }
        if !current.pass.isComplete {
            model.advance(&current.pass, backend: backend, trace: visionTrace)
            encoding = current
            return
        }
        encoding = nil
        let rows = model.finish(current.pass, backend: backend, trace: visionTrace)
        visionCache.insert(rows, for: picture.key)
        counted.visionEncoded += 1
        for other in running where other.missingPicture(within: options.prefillChunk)?.key == picture.key {
            other.vision[picture.key] = rows
        }
    }

    /// Puts the rows of pictures that fall into `range` into the step.
    func addVision(of sequence: RunningSequence, range: Range<Int>, to step: inout TextStep) {
        let firstRow = step.tokens.count
        for (index, picture) in sequence.request.prompt.media.enumerated() {
            let overlap = picture.tokens.clamped(to: range)
            if case .video = picture.content, !overlap.isEmpty {
                step.vision += rows(of: sequence, video: index, tokens: overlap, firstRow: firstRow - range.lowerBound)
            }
            guard !overlap.isEmpty, let rows = sequence.vision[picture.key] else { continue }
            let inPicture = overlap.lowerBound - picture.tokens.lowerBound
            step.vision.append(
                VisionRows(
                    firstRow: firstRow + overlap.lowerBound - range.lowerBound,
                    embeddings: rows.rows(inPicture..<inPicture + overlap.count)))
        }
    }
}
