/* The hash against the examples of FIPS 180-4, and in pieces against itself. */
#include "sha256.h"

#include <string.h>

#include "support/check.h"

static void check_hash(const char *text, const char *wanted)
{
    kernel__sha256_t hash;
    char got[KERNEL__SHA256_TEXT];

    kernel__sha256_init(&hash);
    kernel__sha256_update(&hash, text, strlen(text));
    kernel__sha256_finish(&hash, got);
    CHECK_STR(got, wanted);
}

static void empty_text_has_its_hash(void)
{
    check_hash("", "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
}

static void published_examples_have_their_hashes(void)
{
    check_hash("abc", "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    check_hash("abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq",
               "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1");
    check_hash(
        "abcdefghbcdefghicdefghijdefghijkefghijklfghijklmghijklmnhijklmnoijklmnopjklmnopqklmnopqr"
        "lmnopqrsmnopqrstnopqrstu",
        "cf5b16a778af8380036ce59e7b0492370b249b11e8f07a51afac45037afee9d1");
}

static void a_million_bytes_have_their_hash(void)
{
    kernel__sha256_t hash;
    char got[KERNEL__SHA256_TEXT];
    char block[1000];

    memset(block, 'a', sizeof(block));
    kernel__sha256_init(&hash);
    for (int i = 0; i < 1000; i++) {
        kernel__sha256_update(&hash, block, sizeof(block));
    }
    kernel__sha256_finish(&hash, got);
    CHECK_STR(got, "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0");
}

/* Every length around the edges of a block, cut at every place. */
static void pieces_hash_like_the_whole(void)
{
    char text[200];

    memset(text, 'x', sizeof(text));
    for (size_t size = 0; size <= sizeof(text); size++) {
        kernel__sha256_t whole;
        char wanted[KERNEL__SHA256_TEXT];

        kernel__sha256_init(&whole);
        kernel__sha256_update(&whole, text, size);
        kernel__sha256_finish(&whole, wanted);
        for (size_t cut = 0; cut <= size; cut++) {
            kernel__sha256_t pieces;
            char got[KERNEL__SHA256_TEXT];

            kernel__sha256_init(&pieces);
            kernel__sha256_update(&pieces, text, cut);
            kernel__sha256_update(&pieces, text + cut, size - cut);
            kernel__sha256_finish(&pieces, got);
            CHECK_STR(got, wanted);
        }
    }
}

TESTS(TEST(empty_text_has_its_hash), TEST(published_examples_have_their_hashes),
      TEST(a_million_bytes_have_their_hash), TEST(pieces_hash_like_the_whole))
