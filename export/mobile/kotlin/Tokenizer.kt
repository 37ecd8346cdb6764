package t2i

import java.io.File
import java.util.Locale
import java.util.zip.ZipFile

const val VOCABULARY = "vocabulary.txt"

private val separators = Regex("[^\\p{L}\\p{N}_]+")
private val notAscii = Regex("[^\\x00-\\x7F]+")

/** The caption's words: lower-case, letters, digits and underscores, cut down to ASCII. */
fun tokenize(text: String): List<String> =
    text.lowercase(Locale.ROOT).split(separators).map { it.replace(notAscii, "") }
        .filter { it.isNotEmpty() }

/** From captions to ids, by the vocabulary in the archive behind the model. */
class Tokenizer(model: File) {
    private val ids: Map<String, Int> = ZipFile(model).use { archive ->
        archive.getInputStream(archive.getEntry(VOCABULARY)).bufferedReader().readLines()
    }.withIndex().associate { (id, word) -> word to id }

    /** [maxWords] ids, 0 after the last; words that the model does not know are left out. */
    fun encode(text: String, maxWords: Int): IntArray {
        val known = tokenize(text).mapNotNull { ids[it] }.take(maxWords)
        require(known.isNotEmpty()) { "The model knows no word of \"$text\"" }
        return known.toIntArray().copyOf(maxWords)
    }
}
