package t2i

import java.io.File
import java.text.Normalizer
import java.util.Locale
import java.util.zip.ZipFile

const val VOCABULARY = "vocabulary.txt"
const val CONFIG = "config.json"
const val LONGEST_WORD = 1000 // bytes that are cut into pieces

private val separators = Regex("[^\\p{L}\\p{M}\\p{N}_]+")
private val unspaced = Regex(
    "[\\u3040-\\u30ff\\u3400-\\u4dbf\\u4e00-\\u9fff\\uf900-\\ufaff\\x{20000}-\\x{3ffff}]"
)

/**
 * The caption's words: runs of letters, marks, digits and underscores, in lower case. Chinese
 * characters and kana are a word each.
 */
fun tokenize(text: String): List<String> =
    text.lowercase(Locale.ROOT).replace('ς', 'σ').replace(unspaced, " $0 ").split(separators)
        .filter { it.isNotEmpty() }

/** The longest [known] pieces of a word, from the left; the word itself if there is no way. */
fun cut(word: String, known: Map<String, Int>): List<String> {
    val points = word.codePoints().toArray()
    val pieces = mutableListOf<String>()
    var start = 0
    if (word.toByteArray().size > LONGEST_WORD) return listOf(word)
    while (start < points.size) {
        val begun = if (start > 0) "##" else ""
        val end = (points.size downTo start + 1)
            .firstOrNull { begun + String(points, start, it - start) in known }
            ?: return listOf(word)
        pieces += begun + String(points, start, end - start)
        start = end
    }
    return pieces
}

/** From captions to ids, by the vocabulary and the config in the archive behind the model. */
class Tokenizer(model: File) {
    private val ids: Map<String, Int>
    private val wordpiece: Boolean

    init {
        ZipFile(model).use { archive ->
            fun read(name: String) =
                archive.getInputStream(archive.getEntry(name)).bufferedReader().readText()
            ids = read(VOCABULARY).removeSuffix("\n").split("\n")
                .withIndex().associate { (id, word) -> word to id }
            wordpiece = "\"tokenizer\": \"wordpiece\"" in read(CONFIG)
        }
    }

    /** The caption's words, or their pieces where the model reads wordpieces. */
    fun tokens(text: String): List<String> =
        if (wordpiece) {
            tokenize(Normalizer.normalize(text, Normalizer.Form.NFKC)).flatMap { cut(it, ids) }
        } else {
            tokenize(text)
        }

    /** [maxWords] ids, 0 after the last; words that the model does not know are left out. */
    fun encode(text: String, maxWords: Int): IntArray {
        val known = tokens(text).mapNotNull { ids[it] }.take(maxWords)
        require(known.isNotEmpty()) { "The model knows no word of \"$text\"" }
        return known.toIntArray().copyOf(maxWords)
    }
}
