import Foundation

let vocabularyFile = "vocabulary.txt"

/// The caption's words: lower-case, letters, digits and underscores, cut down to ASCII.
func tokenize(_ text: String) -> [String] {
    text.lowercased().unicodeScalars
        .split { !isPartOfWord($0) }
        .map { scalars in
            var word = String.UnicodeScalarView()
            word.append(contentsOf: scalars.filter { $0.isASCII })
            return String(word)
        }
        .filter { !$0.isEmpty }
}

private func isPartOfWord(_ scalar: Unicode.Scalar) -> Bool {
    switch scalar.properties.generalCategory {
    case .uppercaseLetter, .lowercaseLetter, .titlecaseLetter, .modifierLetter, .otherLetter,
        .decimalNumber, .letterNumber, .otherNumber:
        return true
    default:
        return scalar == "_"
    }
}

enum TextToImageError: LocalizedError {
    case noVocabulary
    case noKnownWord(String)

    var errorDescription: String? {
        switch self {
        case .noVocabulary: return "The model file holds no \(vocabularyFile)"
        case .noKnownWord(let text): return "The model knows no word of \"\(text)\""
        }
    }
}

/// From captions to ids, by the vocabulary in the archive behind the model.
struct Tokenizer {
    private let ids: [String: Int32]

    init(model: Data) throws {
        guard let file = storedFile(named: vocabularyFile, in: model),
            let text = String(data: file, encoding: .utf8)
        else { throw TextToImageError.noVocabulary }
        let words = text.split(separator: "\n").map(String.init)
        ids = Dictionary(uniqueKeysWithValues: zip(words, Int32(0)...))
    }

    /// `maxWords` ids, 0 after the last; words that the model does not know are left out.
    func encode(_ text: String, maxWords: Int) throws -> [Int32] {
        let known = tokenize(text).compactMap { ids[$0] }.prefix(maxWords)
        guard !known.isEmpty else { throw TextToImageError.noKnownWord(text) }
        return Array(known) + Array(repeating: 0, count: maxWords - known.count)
    }
}

/// A file of a zip archive that is not compressed, found by the archive's central directory.
private func storedFile(named name: String, in archive: Data) -> Data? {
    let bytes = [UInt8](archive)
    func number(_ at: Int, _ size: Int) -> Int {
        (0..<size).reduce(0) { $0 | Int(bytes[at + $1]) << (8 * $1) }
    }
    guard bytes.count >= 22,
        let end = stride(from: bytes.count - 22, through: 0, by: -1)
            .first(where: { number($0, 4) == 0x0605_4b50 })
    else { return nil }
    var entry = number(end + 16, 4)
    for _ in 0..<number(end + 10, 2) {
        let nameEnd = entry + 46 + number(entry + 28, 2)
        if String(decoding: bytes[entry + 46..<nameEnd], as: UTF8.self) == name {
            let local = number(entry + 42, 4)
            let start = local + 30 + number(local + 26, 2) + number(local + 28, 2)
            return Data(bytes[start..<start + number(entry + 20, 4)])
        }
        entry = nameEnd + number(entry + 30, 2) + number(entry + 32, 2)
    }
    return nil
}
