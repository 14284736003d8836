"""Programs that people know, as they come from Debian's source packages, and what the test has each of them do.

Nothing of them is changed. A program is built twice from the same files, to WebAssembly and for this machine; what its build system would generate
is in `generated`, from the package's own templates where it has them.
"""

import dataclasses


@dataclasses.dataclass
class Case:
    args: list                    # the same for both builds: paths are relative to a folder with the files, an empty out/ and an empty tmp/
    files: dict = dataclasses.field(default_factory=dict)   # "path in the folder": "path in the package" or bytes
    stdin: bytes = b""
    memory: int = 64 << 20


@dataclasses.dataclass
class Program:
    name: str
    package: str                  # source package; its upstream archive is unpacked
    sources: list                 # globs in the package; "guests/real/..." in this tree
    cases: list
    flags: list = dataclasses.field(default_factory=list)   # "@" stands for the package
    native: str = ""              # the command of the same version from the same package, if it is installed: saves building it
    generated: dict = dataclasses.field(default_factory=dict)   # "name": text, or ("template in the package", {variable: value})


def numbers_csv():
    lines = ["id,city,amount"]
    state = 1
    for i in range(20_000):
        state = state * 48271 % 2147483647
        lines.append(f"{i},{'north south east west'.split()[state % 4]},{state % 10_000}")
    return ("\n".join(lines) + "\n").encode()


SQL = b"""
.mode csv
.import orders.csv orders
create table totals as select city, count(*) as n, sum(amount) as total, round(avg(amount), 3) as mean from orders group by city;
select * from totals order by city;
select sqlite_version(), (select count(*) from orders where amount like '%7');
vacuum into 'out/orders.db';
"""


PROGRAMS = [
    Program("minigzip", "zlib", ["*.c", "test/minigzip.c"], flags=["-I@", "-DHAVE_UNISTD_H"],
            cases=[Case(["-c", "-9", "in.c"], {"in.c": "deflate.c"}), Case(["-c", "-1", "in.c"], {"in.c": "ChangeLog"})]),
    Program("bzip2", "bzip2", [f"{name}.c" for name in "blocksort huffman crctable randtable compress decompress bzlib bzip2".split()],
            flags=["-DBZ_UNIX=1"],
            cases=[Case(["-9", "-c", "in"], {"in": "manual.ps"}), Case(["-d", "-c", "in.bz2"], {"in.bz2": "sample1.bz2"})]),
    Program("lz4", "lz4", ["lib/*.c", "programs/*.c"], flags=["-I@/lib", "-DXXH_NAMESPACE=LZ4_"],
            cases=[Case(["-9", "-q", "in", "out/in.lz4"], {"in": "programs/lz4cli.c"}), Case(["-12", "-q", "-c", "in"], {"in": "lib/lz4hc.c"})]),
    Program("zstd", "libzstd", ["lib/common/*.c", "lib/compress/*.c", "lib/decompress/*.c"] +
            [f"programs/{name}.c" for name in "zstdcli util timefn fileio fileio_asyncio".split()],
            flags=["-I@/lib", "-I@/lib/common", "-DZSTD_NOBENCH", "-DZSTD_NODICT", "-DZSTD_NOTRACE", "-DXXH_NAMESPACE=ZSTD_", "-DZSTD_LEGACY_SUPPORT=0",
                   "-DZSTD_DISABLE_ASM"],
            cases=[Case(["-q", "-19", "in", "-o", "out/in.zst"], {"in": "CHANGELOG"}, memory=256 << 20),
                   Case(["-q", "-3", "-c", "in"], {"in": "lib/compress/zstd_compress.c"})]),
    Program("xxhsum", "xxhash", ["xxhash.c", "cli/*.c"], flags=["-I@", "-I@/cli"],
            cases=[Case(["-H2", "a", "b"], {"a": "xxhash.h", "b": "README.md"}), Case(["-H0", "a"], {"a": "xxhash.h"})]),
    Program("md2html", "md4c", ["src/*.c", "md2html/*.c"],
            flags=["-I@/src", "-DMD_VERSION_MAJOR=0", "-DMD_VERSION_MINOR=4", "-DMD_VERSION_RELEASE=8"],
            cases=[Case(["--github", "--output=out/spec.html", "spec.txt"], {"spec.txt": "test/spec.txt"}), Case(["in.md"], {"in.md": "README.md"})]),
    Program("figlet", "figlet", [f"{name}.c" for name in "figlet zipio crc inflate utf8".split()],
            flags=['-DDEFAULTFONTDIR="fonts"', '-DDEFAULTFONTFILE="standard"'],
            cases=[Case(["Selvedge"], {"fonts/standard.flf": "fonts/standard.flf"}),
                   Case(["-f", "slant", "-w", "120"], {"fonts/slant.flf": "fonts/slant.flf"}, b"runs where it is lent\n")]),
    Program("qrencode", "qrencode", [f"{name}.c" for name in "qrencode qrinput bitstream qrspec rsecc split mask mqrspec mmask qrenc".split()],
            flags=["-I@", "-DMAJOR_VERSION=4", "-DMINOR_VERSION=1", "-DMICRO_VERSION=1", '-DVERSION="4.1.1"', "-DSTATIC_IN_RELEASE=static", "-DHAVE_STRDUP=1"],
            cases=[Case(["-t", "SVG", "-o", "out/code.svg", "a text to be scanned"]), Case(["-t", "ASCII", "-l", "H", "another"])]),
    Program("xmlwf", "expat", [f"expat/lib/{name}.c" for name in "xmlparse xmlrole xmltok".split()] +
            [f"expat/xmlwf/{name}.c" for name in "xmlwf xmlfile codepage readfilemap".split()],
            flags=["-I@/expat/lib", "-I@/expat/xmlwf", "-DXML_POOR_ENTROPY"],
            generated={"expat_config.h": "#define XML_DTD 1\n#define XML_NS 1\n#define XML_CONTEXT_BYTES 1024\n#define BYTEORDER 1234\n#define HAVE_UNISTD_H 1\n"},
            cases=[Case(["-d", "out", "in.xml"], {"in.xml": "testdata/largefiles/nes96.xml"}),
                   Case(["-n", "-d", "out", "in.xml"], {"in.xml": "testdata/largefiles/nes96.xml"})]),
    Program("sqlite3", "fossil", ["extsrc/sqlite3.c", "extsrc/shell.c"],
            flags=["-I@/extsrc", "-DSQLITE_THREADSAFE=0", "-DSQLITE_OMIT_LOAD_EXTENSION", "-DSQLITE_NOHAVE_SYSTEM", "-DSQLITE_OMIT_POPEN"],
            cases=[Case(["tmp/work.db"], {"orders.csv": numbers_csv()}, SQL)]),
    Program("wat2wasm", "wabt", native="wat2wasm", sources=["src/tools/wat2wasm.cc", "src/opcode-code-table.c"] +
            [f"src/{name}.cc" for name in "apply-names binary-writer binary binding-hash color common config error-formatter expr-visitor feature filenames "
             "ir-util ir leb128 lexer-source-line-finder lexer-source literal opcode option-parser resolve-names shared-validator stream token tracing "
             "type-checker utf8 validator wast-lexer wast-parser binary-writer-spec generate-names binary-reader binary-reader-ir binary-reader-logging".split()],
            flags=["-I@", "-I@/include", "-I@/src"],
            generated={"wabt/config.h": ("src/config.h.in", {"WABT_VERSION_STRING": "1.0.32", "HAVE_UNISTD_H": "1", "HAVE_SNPRINTF": "1", "HAVE_SSIZE_T": "1",
                                                         "HAVE_STRCASECMP": "1", "HAVE_ALLOCA_H": "1", "COMPILER_IS_GNU": "1", "SIZEOF_SIZE_T": "sizeof(void*)"}),
                       "config.h": '#include "wabt/config.h"\n'},
            cases=[Case(["rot13.wat", "-o", "out/rot13.wasm"], {"rot13.wat": "wasm2c/examples/rot13/rot13.wat"}),
                   Case(["-v", "fac.wat", "-o", "out/fac.wasm"], {"fac.wat": "wasm2c/examples/fac/fac.wat"})]),
    Program("shrink", "libstb", ["guests/real/shrink.c"], flags=["-I@"],
            cases=[Case(["64", "map_01.png", "map_02.png", "map_03.png"], {f"map_0{i}.png": f"data/map_0{i}.png" for i in (1, 2, 3)})]),
    Program("json", "nlohmann-json3", ["guests/real/json.cc"], flags=["-I@/single_include", "-DJSON_HAS_FILESYSTEM=0", "-DJSON_HAS_EXPERIMENTAL_FILESYSTEM=0"],
            cases=[Case(["/signed", "objects.json"], {"objects.json": "this:docs/spec/vectors/objects.json"}, memory=128 << 20)]),
]
