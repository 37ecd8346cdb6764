from t2i_tf.models import model_directory
from tests.commands import refused, run


def test_a_published_model_is_whole_and_half_as_large(model_dir, tmp_path):
    printed = run("t2i_tf.publish", f"--model_dir={model_dir}", f"--output_dir={tmp_path / 'half'}")
    assert "text_encoder, image_encoder, generator" in printed
    loaded = model_directory.load(tmp_path / "half", need=("image_encoder", "generator"))
    assert loaded.config == model_directory.load(model_dir).config
    assert (tmp_path / "half" / "README.md").read_bytes() == (model_dir / "README.md").read_bytes()


def test_a_folder_in_the_way_is_refused(model_dir, tmp_path):
    line = refused("t2i_tf.publish", f"--model_dir={model_dir}", f"--output_dir={tmp_path}")
    assert "exists: remove it, or name another directory" in line
