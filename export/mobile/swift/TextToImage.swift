import TensorFlowLite
import UIKit

private let signature = "generate_from_noise"
private let tokensInput = "tokens"
private let noiseInput = "noise"
private let imageOutput = "image"

/// Draws pictures from captions with a file that `python -m export.tflite` wrote.
final class TextToImage {
    private let tokenizer: Tokenizer
    private let runner: SignatureRunner
    private let maxWords: Int
    private let noiseSize: Int

    init(modelPath: String) throws {
        tokenizer = try Tokenizer(
            model: Data(contentsOf: URL(fileURLWithPath: modelPath), options: .mappedIfSafe))
        var options = Interpreter.Options()
        options.threadCount = ProcessInfo.processInfo.activeProcessorCount
        let interpreter = try Interpreter(modelPath: modelPath, options: options)
        runner = try interpreter.signatureRunner(with: signature)
        maxWords = try runner.input(named: tokensInput).shape.dimensions[1]
        noiseSize = try runner.input(named: noiseInput).shape.dimensions[1]
    }

    /// A picture; each call draws another. Takes a while: call it off the main thread, one at a time.
    func draw(_ text: String) throws -> UIImage {
        let tokens = try tokenizer.encode(text, maxWords: maxWords)
        let noise = (0..<noiseSize).map { _ in gaussian() }
        try runner.invoke(with: [
            tokensInput: tokens.withUnsafeBufferPointer { Data(buffer: $0) },
            noiseInput: noise.withUnsafeBufferPointer { Data(buffer: $0) },
        ])
        let image = try runner.output(named: imageOutput)
        let (height, width) = (image.shape.dimensions[1], image.shape.dimensions[2])
        let picture = CGImage(
            width: width, height: height, bitsPerComponent: 8, bitsPerPixel: 24,
            bytesPerRow: 3 * width, space: CGColorSpaceCreateDeviceRGB(), bitmapInfo: [],
            provider: CGDataProvider(data: image.data as CFData)!, decode: nil,
            shouldInterpolate: true, intent: .defaultIntent)
        return UIImage(cgImage: picture!)
    }
}

/// A standard normal number (Box and Muller, 1958).
private func gaussian() -> Float {
    let radius = (-2 * log(Float.random(in: Float.leastNormalMagnitude..<1))).squareRoot()
    return radius * cos(2 * .pi * Float.random(in: 0..<1))
}
