import SwiftUI

/// One line for the caption, a button, and the picture.
struct ContentView: View {
    @State private var caption = "a small red bird with black wings"
    @State private var picture: UIImage?
    @State private var message = ""
    private static let worker = DispatchQueue(label: "text-to-image")
    private static let model = Result {
        try TextToImage(
            modelPath: Bundle.main.path(forResource: "text_to_image_dynamic", ofType: "tflite")!)
    }

    var body: some View {
        VStack {
            TextField("Caption", text: $caption).textFieldStyle(.roundedBorder)
            Button("Draw", action: draw)
            Text(message)
            if let picture {
                Image(uiImage: picture).resizable().scaledToFit()
            }
        }
        .padding()
    }

    private func draw() {
        let text = caption
        Self.worker.async {
            let drawn = Result { try Self.model.get().draw(text) }
            DispatchQueue.main.async {
                switch drawn {
                case .success(let image): (picture, message) = (image, "")
                case .failure(let error): message = error.localizedDescription
                }
            }
        }
    }
}
