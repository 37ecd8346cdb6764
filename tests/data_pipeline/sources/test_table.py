import json

import pytest

from data_pipeline.sources import table
from data_pipeline.support.errors import UserError
from tests.data_pipeline.sources.layouts import draw, jpeg, problems, read


@pytest.fixture
def root(tmp_path):
    for name in "abc":
        draw(tmp_path / f"{name}.jpg")
    return tmp_path


def write(path, text):
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return path


def test_rows_of_one_picture_add_captions_wherever_they_are(root):
    path = write(root / "t.tsv", "file_name\ttext\na.jpg\tone\nb.jpg\ttwo\n./a.jpg\tthree, four\n")
    examples, report = read(table.read(path))
    assert [(e.name, e.captions) for e in examples] == [
        ("a", ("one", "three, four")),
        ("b", ("two",)),
    ]
    assert list(report.hashes) == ["t.tsv"]


def test_columns_by_flag(root):
    path = write(
        root / "t.csv",
        '\ufeffid,pic,says,part,kind,at\n1,a.jpg,"one, ""two""",dev,7,"1,2,3,4"\n'
        "2,b.jpg,three,TRAIN,,[5 6 7.5 8]\n",
    )
    columns = dict(image_column="pic", caption_column="says", split_column="part")
    examples, _ = read(table.read(root, class_column="kind", box_column="at", **columns))
    a, b = examples
    assert (a.captions, a.split, a.class_name, a.box) == (
        ('one, "two"',),
        "validation",
        "7",
        (1.0, 2.0, 3.0, 4.0),
    )
    assert (b.split, b.class_name, b.box) == ("train", None, (5.0, 6.0, 7.5, 8.0))
    with pytest.raises(UserError, match=r"no column for the image; name it by --image_column \(c"):
        read(table.read(path))
    with pytest.raises(UserError, match="--box_column=where: no such column"):
        read(table.read(path, box_column="where", **columns))
    write(path, "file_name,caption,text\n")
    with pytest.raises(UserError, match="several columns may be the caption; name it"):
        read(table.read(path))


def test_the_metadata_of_an_image_folder(root):
    for part in ("train", "validation"):
        draw(root / part / "a.jpg")
        row = {"file_name": "a.jpg", "text": ["one", "two"]}
        write(root / part / "metadata.jsonl", json.dumps(row) + "\n\n")
    examples, report = read(table.read(root))
    assert [(e.name, e.split) for e in examples] == [
        ("train/a", "train"),
        ("validation/a", "validation"),
    ]
    assert examples[0].captions == ("one", "two")
    assert list(report.hashes) == ["train/metadata.jsonl", "validation/metadata.jsonl"]


def test_the_table_is_found_or_asked_for(root):
    with pytest.raises(UserError, match="no table in it"):
        table.read(root)
    write(root / "one.csv", "file_name,text\na.jpg,one\n")
    assert len(read(table.read(root))[0]) == 1
    write(root / "two.json", '[{"file_name": "b.jpg", "text": "two"}]')
    assert read(table.read(root / "two.json"))[0][0].name == "b"
    with pytest.raises(UserError, match=r"several tables \(one.csv, two.json\); name one"):
        table.read(root)
    with pytest.raises(UserError, match="not a table"):
        table.read(root / "a.jpg")
    with pytest.raises(UserError, match="no such file or folder"):
        table.read(root / "nothing")
    with pytest.raises(UserError, match="--images_dir=.*nowhere: no such folder"):
        table.read(root / "one.csv", images_dir=root / "nowhere")


def test_bad_rows_are_told_with_their_lines(root):
    (root / "link.jpg").symlink_to("/etc/hostname")
    path = write(
        root / "t.csv",
        b"file_name,text,part,box\n"
        b"a.jpg,fine,train,1 2 3 4\n"
        b"b.jpg,too,few\n"
        b"../a.jpg,climbs,train,1 2 3 4\n"
        b"/etc/hostname,climbs,train,1 2 3 4\n"
        b"link.jpg,climbs,train,1 2 3 4\n"
        b"gone.jpg,not there,train,1 2 3 4\n"
        b"b.jpg,  ,train,1 2 3 4\n"
        b"c.jpg,caf\xe9,train,1 2 3 4\n"
        b"c.jpg,?!,train,1 2 3 4\n"
        b"a.jpg,fine,train,1 2 3 4\n"
        b",no name,train,1 2 3 4\n",
    )
    text, examples = problems(table.read(path, split_column="part", box_column="box"))
    assert [(e.name, e.captions) for e in examples] == [("a", ("fine",))]
    for line in (
        f"{path}:3: 3 cells, but 4 columns",
        f"{path}:4: ../a.jpg leads out of {root}",
        f"{path}:5: /etc/hostname leads out of {root}",
        f"{path}:6: link.jpg leads out of {root}",
        f"gone.jpg: no such file (named in {path}:7)",
        f"{path}:8: empty, or only white space",
        f"{path}:9: 'caf\\udce9'; save it as UTF-8",
        f"{path}:10: '?!'",
        f"{path}:11: the same as {path}:2",
        f"{path}:12: '' is not a file name",
    ):
        assert line in text
    assert text.count("\n  ") == 10

    rows = ["a.jpg,one,train,1 2 3 4", "a.jpg,two,test,1 2 3 4", "b.jpg,three,trian,1 2 3 4"]
    write(path, "\n".join(["file_name,text,part,box", *rows, "c.jpg,four,train,1 2 nan 4"]))
    text, examples = problems(table.read(path, split_column="part", box_column="box"))
    assert not examples
    assert f"{path}:3: split 'test', but 'train' in {path}:2" in text
    assert f"{path}:4: 'trian' is none of train, " in text
    assert f"{path}:5: '1 2 nan 4' is not x,y,width,height" in text


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("t.csv", "", "the table is empty"),
        ("t.csv", "text,text\n", "two columns are called 'text'"),
        ("t.csv", 'file_name,text\na.jpg,"cut', "t.csv:2: unexpected end of data"),
        ("t.json", '[{"file_name": "a.jpg", "te', "not JSON"),
        ("t.json", "{}", "expected a list of objects"),
        ("t.jsonl", "", "the table is empty"),
        ("t.jsonl", '{"file_name": "a.jpg", "text": "a"}\n{"file_na', "t.jsonl:2: not JSON: Unt"),
        ("t.jsonl", '{"file_name": "a.jpg", "text": "a"}\n[1]', "t.jsonl:2: expected an object"),
        ("t.jsonl", '{"file_name": "a.jpg", "text": "a"}\n{"text": "a"}', "t.jsonl:2: no file_n"),
        ("t.jsonl", '{"file_name": "a.jpg", "text": "\\ud800"}', r"t.jsonl:1: '\\ud800'; save"),
        ("t.jsonl", '{"file_name": "a.jpg", "text": 7}', r"t.jsonl:1: found '7' \(int\)"),
        ("t.jsonl", '{"file_name": "a.jpg", "text": []}', "t.jsonl:1: an empty list"),
        ("t.jsonl", '{"file_name": "a\\u0000", "text": "a"}', "is not a file name"),
        ("t.jsonl", "[" * 100_000, "t.jsonl:1: not JSON"),
    ],
)
def test_damaged_tables_are_one_line(root, name, content, message):
    write(root / name, content)
    with pytest.raises(UserError, match=message):
        read(table.read(root / name))


def test_parquet(root):
    pyarrow = pytest.importorskip("pyarrow")
    parquet = pytest.importorskip("pyarrow.parquet")
    pictures = [{"bytes": jpeg("red"), "path": f"{i}.jpg"} for i in range(2)]
    rows = {"image": pictures, "caption": [["one", "two"], ["three"]]}
    folder = root / "data"
    folder.mkdir()
    for split in ("train", "test"):
        parquet.write_table(pyarrow.table(rows), folder / f"{split}-00000-of-00001.parquet")
    examples, _ = read(table.read(root))
    assert [(e.name, e.split) for e in examples] == [
        ("test-00000-of-00001/0", "test"),
        ("test-00000-of-00001/1", "test"),
        ("train-00000-of-00001/0", "train"),
        ("train-00000-of-00001/1", "train"),
    ]
    assert examples[0].picture == jpeg("red") and examples[0].captions == ("one", "two")
    paths = pyarrow.table({"path": ["a.jpg", "b.jpg", "a.jpg"], "text": ["one", "two", "three"]})
    parquet.write_table(paths, root / "p.parquet")
    examples, _ = read(table.read(root / "p.parquet"))
    assert examples[0].captions == ("one", "three")
    (root / "p.parquet").write_bytes((root / "p.parquet").read_bytes()[:-9])
    with pytest.raises(UserError, match="p.parquet: damaged or not a Parquet file"):
        read(table.read(root / "p.parquet"))


def test_parquet_without_pyarrow_is_one_line(root, monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "pyarrow.parquet", None)
    write(root / "p.parquet", "PAR1")
    with pytest.raises(UserError, match="pip install -r requirements-data.txt"):
        read(table.read(root / "p.parquet"))
