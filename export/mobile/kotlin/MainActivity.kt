package t2i

import android.app.Activity
import android.os.Bundle
import android.widget.Button
import android.widget.EditText
import android.widget.ImageView
import android.widget.LinearLayout
import android.widget.Toast
import java.io.File
import java.util.concurrent.Executors

private const val MODEL = "text_to_image_dynamic.tflite"

/** One line for the caption, a button, and the picture. */
class MainActivity : Activity() {
    private val worker = Executors.newSingleThreadExecutor()
    private val model by lazy { TextToImage(modelFile()) }

    override fun onCreate(savedInstanceState: Bundle?) {
        super.onCreate(savedInstanceState)
        val caption = EditText(this).apply { setText("a small red bird with black wings") }
        val picture = ImageView(this).apply { adjustViewBounds = true }
        val button = Button(this).apply { text = "Draw" }
        button.setOnClickListener {
            val text = caption.text.toString()
            worker.execute {
                val drawn = runCatching { model.draw(text, seed = System.nanoTime()) }
                runOnUiThread {
                    drawn.onSuccess(picture::setImageBitmap).onFailure {
                        Toast.makeText(this, it.message, Toast.LENGTH_LONG).show()
                    }
                }
            }
        }
        setContentView(LinearLayout(this).apply {
            orientation = LinearLayout.VERTICAL
            listOf(caption, button, picture).forEach(::addView)
        })
    }

    override fun onDestroy() {
        worker.shutdown()
        super.onDestroy()
    }

    /** The asset as a file, copied anew after an update of the app. */
    private fun modelFile(): File {
        val installed = packageManager.getPackageInfo(packageName, 0).lastUpdateTime
        val file = File(cacheDir, "$installed-$MODEL")
        if (!file.exists()) {
            val partial = File(cacheDir, "$MODEL.partial")
            assets.open(MODEL).use { asset -> partial.outputStream().use { asset.copyTo(it) } }
            check(partial.renameTo(file)) { "No room for the model" }
        }
        return file
    }
}
