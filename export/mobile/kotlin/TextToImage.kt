package t2i

import android.graphics.Bitmap
import android.graphics.Color
import java.io.Closeable
import java.io.File
import java.nio.ByteBuffer
import java.util.Random
import org.tensorflow.lite.Interpreter

private const val SIGNATURE = "generate_from_noise"
private const val TOKENS = "tokens"
private const val NOISE = "noise"
private const val IMAGE = "image"

/** Draws pictures from captions with a file that `python -m export.tflite` wrote. */
class TextToImage(model: File) : Closeable {
    private val tokenizer = Tokenizer(model)
    private val interpreter = Interpreter(
        model,
        Interpreter.Options().setNumThreads(Runtime.getRuntime().availableProcessors()),
    )
    private val maxWords = interpreter.getInputTensorFromSignature(TOKENS, SIGNATURE).shape()[1]
    private val noiseSize = interpreter.getInputTensorFromSignature(NOISE, SIGNATURE).shape()[1]
    private val imageShape = interpreter.getOutputTensorFromSignature(IMAGE, SIGNATURE).shape()

    /** A picture; each seed gives another. Takes a while: call it off the main thread. */
    @Synchronized
    fun draw(text: String, seed: Long): Bitmap {
        val random = Random(seed)
        val noise = FloatArray(noiseSize) { random.nextGaussian().toFloat() }
        val (_, height, width, _) = imageShape
        val bytes = ByteBuffer.allocateDirect(height * width * 3)
        interpreter.runSignature(
            mapOf<String, Any>(
                TOKENS to arrayOf(tokenizer.encode(text, maxWords)),
                NOISE to arrayOf(noise),
            ),
            mapOf<String, Any>(IMAGE to bytes),
            SIGNATURE,
        )
        fun level(i: Int) = bytes.get(i).toInt() and 0xFF
        val pixels = IntArray(height * width) {
            Color.rgb(level(3 * it), level(3 * it + 1), level(3 * it + 2))
        }
        return Bitmap.createBitmap(pixels, width, height, Bitmap.Config.ARGB_8888)
    }

    override fun close() = interpreter.close()
}
