import Foundation

let vocabularyFile = "vocabulary.txt"
let configFile = "config.json"
let longestWord = 1000 // bytes that are cut into pieces

/// The caption's words: runs of letters, marks, digits and underscores, in lower case. Chinese
/// characters and kana are a word each.
func tokenize(_ text: String) -> [String] {
    var words: [String] = []
    var word = String.UnicodeScalarView()
    func end() {
        if !word.isEmpty { words.append(String(word)) }
        word.removeAll()
    }
    for scalar in text.lowercased().unicodeScalars {
        if !isPartOfWord(scalar) {
            end()
        } else if isUnspaced(scalar) {
            end()
            words.append(String(scalar))
        } else {
            word.append(scalar == "ς" ? "σ" : scalar)
        }
    }
    end()
    return words
}

private func isPartOfWord(_ scalar: Unicode.Scalar) -> Bool {
    switch scalar.properties.generalCategory {
    case .uppercaseLetter, .lowercaseLetter, .titlecaseLetter, .modifierLetter, .otherLetter,
        .nonspacingMark, .spacingMark, .enclosingMark,
        .decimalNumber, .letterNumber, .otherNumber:
        return true
    default:
        return scalar == "_"
    }
}

private func isUnspaced(_ scalar: Unicode.Scalar) -> Bool {
    switch scalar.value {
    case 0x3040...0x30ff, 0x3400...0x4dbf, 0x4e00...0x9fff, 0xf900...0xfaff, 0x20000...0x3ffff:
        return true
    default:
        return false
    }
}

/// The longest known pieces of a word, from the left; the word itself if there is no way.
func cut(_ word: String, known: [String: Int32]) -> [String] {
    let scalars = Array(word.unicodeScalars)
    var pieces: [String] = []
    var start = 0
    if word.utf8.count > longestWord { return [word] }
    while start < scalars.count {
        func piece(_ end: Int) -> String {
            var text = String.UnicodeScalarView()
            text.append(contentsOf: scalars[start..<end])
            return (start > 0 ? "##" : "") + String(text)
        }
        guard let end = stride(from: scalars.count, to: start, by: -1)
            .first(where: { known[piece($0)] != nil })
        else { return [word] }
        pieces.append(piece(end))
        start = end
    }
    return pieces
}

enum TextToImageError: LocalizedError {
    case noVocabulary
    case noKnownWord(String)

    var errorDescription: String? {
        switch self {
        case .noVocabulary: return "The model file lacks \(vocabularyFile) or \(configFile)"
        case .noKnownWord(let text): return "The model knows no word of \"\(text)\""
        }
    }
}

/// From captions to ids, by the vocabulary and the config in the archive behind the model.
struct Tokenizer {
    private let ids: [String: Int32]
    private let wordpiece: Bool

    init(model: Data) throws {
        func read(_ name: String) throws -> String {
            guard let file = storedFile(named: name, in: model),
                let text = String(data: file, encoding: .utf8)
            else { throw TextToImageError.noVocabulary }
            return text
        }
        let words = try read(vocabularyFile).split(separator: "\n").map(String.init)
        // Swift calls canonically equivalent texts equal; of such words the first counts.
        ids = Dictionary(zip(words, Int32(0)...), uniquingKeysWith: { first, _ in first })
        wordpiece = try read(configFile).contains("\"tokenizer\": \"wordpiece\"")
    }

    /// The caption's words, or their pieces where the model reads wordpieces.
    func tokens(_ text: String) -> [String] {
        wordpiece
            ? tokenize(text.precomposedStringWithCompatibilityMapping)
                .flatMap { cut($0, known: ids) }
            : tokenize(text)
    }

    /// `maxWords` ids, 0 after the last; words that the model does not know are left out.
    func encode(_ text: String, maxWords: Int) throws -> [Int32] {
        let known = tokens(text).compactMap { ids[$0] }.prefix(maxWords)
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
