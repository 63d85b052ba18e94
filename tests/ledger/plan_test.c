/* plan_test.c - contract sections 5 to 7 as tables: message, answer, postings. See shop.h. */
#include "shop.h"

#include <criterion/criterion.h>

static void run(const char *name, const char *script)
{
    static struct shop shop;
    shop_open(&shop, name);
    shop_run(&shop, script);
    shop_close(&shop);
}

/* ---- requests on our cards ------------------------------------------------------------------- */

Test(plan, requests)
{
    run("requests", "0100 stan=1 amt=10000 -> 00 reason=APPROVED date=1121 ourrrn\n"
                    "= k1 bal=100000000 held=10000\n"
                    "= acq bal=0 pend=10000\n"
                    "0200 stan=2 amt=2500 rrn=X -> 00 norrn\n"
                    "= k1 bal=99997500 held=10000\n"
                    "= acq bal=2500\n"
                    "0200 stan=3 p=1 amt=500 -> 00\n"
                    "= k1 bal=99997000\n"
                    "0100 stan=4 p=31 amt=0 -> 00 ledger=99997000 avail=99987000\n"
                    "0200 stan=5 p=31 amt=77 -> 00 ledger=99997000 avail=99987000\n"
                    "0100 stan=6 amt=0 verify -> 85 reason=VERIFIED date=1121\n"
                    "0200 stan=7 p=20 amt=1000 -> 00\n"
                    "= k1 bal=99998000\n"
                    "0100 stan=8 p=20 amt=1000 -> 00\n"
                    "= k1 bal=99998000 held=10000\n"
                    "0200 stan=9 p=40 amt=3000 to=card/2 -> 00\n"
                    "= k1 bal=99995000\n"
                    "= k2 bal=100003000\n"
                    "0200 stan=10 p=40 amt=10 to=card/1 -> 00\n"
                    "= k1 bal=99995000\n"
                    "= holds=1 exceptions=0\n");
}

Test(plan, declines)
{
    run("declines", "0100 deny amt=0 -> 59 reason=DENY_LIST date=0\n"
                    "0100 noroute -> 15 reason=NO_ROUTE\n"
                    "0100 luhn -> 14 reason=NO_CARD\n"
                    "0100 k=77 -> 14 reason=NO_CARD\n"
                    "0200 p=40 to=card/9 -> 14 reason=NO_ACCOUNT\n"
                    "0100 k=4 exp=2001 -> 54 reason=EXPIRED\n"
                    "0100 exp=3011 -> 54 reason=EXPIRY_DIFFERS\n"
                    "0100 exp=3012 -> 00\n"
                    "lost 2 -> done\n"
                    "0100 k=2 -> 41 reason=LOST\n"
                    "stolen 2 -> done\n"
                    "0100 k=2 -> 43 reason=STOLEN\n"
                    "block 2 -> done\n"
                    "0100 k=2 -> 62 reason=CARD_BLOCKED\n"
                    "cancel 2 -> done\n"
                    "0100 k=2 -> 62 reason=CARD_BLOCKED\n"
                    "open 2 -> done\n"
                    "freeze 2 -> done\n"
                    "0100 k=2 -> 62 reason=ACCOUNT_FROZEN\n"
                    "0200 k=1 p=40 to=card/2 -> 62 reason=ACCOUNT_FROZEN\n"
                    "thaw 2 -> done\n"
                    "0100 k=2 -> 00\n"
                    "0100 cvv=wrong -> 82 reason=CVV_WRONG\n"
                    "0100 cvv2=wrong -> 82 reason=CVV2_WRONG cvv2=N\n"
                    "0100 cvv=down -> 96 reason=CVV_UNCHECKED\n"
                    "0100 cvv2=down -> 96 reason=CVV_UNCHECKED cvv2=P\n"
                    "0100 cvv2=ok cvv=down -> 96 cvv2=M\n"
                    "0100 not57 -> 57 reason=NOT_PERMITTED\n"
                    "0100 cur=840 -> 57 reason=NOT_PERMITTED\n"
                    "0100 p=50 -> 57 reason=NOT_PERMITTED\n"
                    "0100 amt=0 -> 13 reason=AMOUNT_ZERO\n"
                    "0200 p=40 to=card/2 amt=0 -> 13\n"
                    "0200 p=20 amt=0 -> 13\n"
                    "0200 p=20 de90=200:999:1121030999 -> 25 reason=NO_ORIGINAL\n"
                    "0100 over -> 61 reason=OVER_AMOUNT\n"
                    "0200 over p=20 -> 00\n"
                    "0100 k=5 amt=101 -> 51 reason=NO_FUNDS\n"
                    "0200 k=5 amt=101 p=40 to=card/1 partial -> 51\n"
                    "0200 k=5 amt=101 partial -> 10 reason=PARTIAL amount=100 avail=101 date=1121\n"
                    "= k5 bal=0 held=0\n"
                    "0200 k=5 amt=101 partial -> 51 reason=NO_FUNDS\n"
                    "0100 party=3 -> 96 reason=MALFUNCTION\n"
                    "= exceptions=0\n");
}

/* Each line breaks several rules; the first of section 7 is answered. */
Test(plan, precedence)
{
    run("precedence", "0100 k=77 deny noroute luhn over -> 59\n"
                      "0100 k=77 noroute luhn -> 15\n"
                      "0100 k=4 exp=1111 pin=wrong -> 54 reason=EXPIRED\n"
                      "lost 1 -> done\n"
                      "freeze 1 -> done\n"
                      "0100 exp=1111 -> 54 reason=EXPIRY_DIFFERS\n"
                      "0100 pin=wrong cvv2=wrong amt=0 -> 41 cvv2=P\n"
                      "open 1 -> done\n"
                      "0100 pin=wrong cvv2=wrong amt=0 -> 62\n"
                      "thaw 1 -> done\n"
                      "0100 pin=wrong cvv=wrong cvv2=wrong amt=0 cur=840 -> 55 cvv2=P\n"
                      "0100 pin=ok cvv=wrong cvv2=ok amt=0 cur=840 -> 82 cvv2=M\n"
                      "0100 cvv2=ok amt=0 cur=840 over -> 57 cvv2=M\n"
                      "0100 cvv2=ok amt=0 over -> 13 cvv2=M\n"
                      "0100 k=5 over amt=1000 count=1 -> 61\n"
                      "0100 k=5 amt=50 count=1 -> 00\n"
                      "0100 k=5 amt=1000 partial count=1 -> 65\n"
                      "0100 k=5 amt=1000 partial -> 10 amount=50\n");
}

Test(plan, pin)
{
    run("pin", "0100 pin=wrong -> 55 reason=PIN_WRONG\n"
               "0100 pin=wrong -> 55\n"
               "0100 pin=ok amt=200000000 -> 51\n"
               "# a right PIN resets, even where something behind it declines\n"
               "0100 pin=wrong -> 55\n"
               "0100 pin=bad -> 55 reason=PIN_BLOCK\n"
               "0100 pin=down -> 96 reason=PIN_UNCHECKED\n"
               "0100 pin=wrong -> 55\n"
               "block 1 -> done\n"
               "0100 pin=wrong -> 62\n"
               "open 1 -> done\n"
               "0100 stan=50 pin=wrong -> 75 reason=PIN_TRIES\n"
               "0100 stan=50 pin=wrong -> 75 replay\n"
               "0100 pin=ok -> 75\n"
               "0100 pin=down -> 75\n"
               "0100 pin=bad -> 75\n"
               "0100 -> 00\n"
               "replay\n"
               "0100 pin=ok -> 75\n"
               "unpin 1 -> done\n"
               "0100 stan=51 pin=wrong -> 55\n"
               "0100 stan=51 pin=wrong -> 55 replay\n"
               "0100 stan=51 pin=wrong -> 55 replay\n"
               "0100 pin=wrong -> 55\n"
               "0100 pin=ok -> 00\n"
               "# the balance needs the PIN too; a refund takes it as it comes\n"
               "0100 p=31 pin=wrong -> 55\n");
}

Test(plan, counts)
{
    run("counts", "0200 stan=1 count=3 -> 00\n"
                  "tick 1800\n"
                  "0200 stan=2 count=3 -> 00\n"
                  "0200 stan=3 count=3 amt=999999999 -> 51\n"
                  "0200 stan=4 count=3 -> 00\n"
                  "0200 stan=5 count=3 -> 65 reason=OVER_COUNT\n"
                  "0200 stan=6 count=3 p=20 amt=1 -> 00\n"
                  "0200 k=2 stan=7 count=3 -> 00\n"
                  "# the first one leaves when its minute is wholly outside\n"
                  "tick 1800\n"
                  "0200 stan=8 count=3 -> 65\n"
                  "tick 59\n"
                  "0200 stan=9 count=3 -> 65\n"
                  "tick 1\n"
                  "0200 stan=10 count=3 -> 00\n"
                  "0200 stan=11 count=3 -> 65\n"
                  "# undone in full it no longer counts; in part it does\n"
                  "0400 de90=200:10:1121030010 remains=1 -> 00\n"
                  "0200 stan=12 count=3 -> 65\n"
                  "0400 de90=200:10:1121030010 -> 00\n"
                  "replay\n"
                  "0200 stan=13 count=3 -> 00\n"
                  "0200 stan=14 count=3 -> 65\n"
                  "# of an hour ago: nothing to give back\n"
                  "tick 7300\n"
                  "0200 stan=15 count=1 -> 00\n"
                  "0400 de90=200:13:1121030013 -> 00\n"
                  "0200 stan=16 count=1 -> 65\n");
}

/* ---- holds and completions ------------------------------------------------------------------- */

Test(plan, completions)
{
    run("completions", "0100 stan=1 amt=10000 rrn=A -> 00\n"
                       "0220 stan=2 amt=4000 rrn=A -> 00\n"
                       "= k1 bal=99996000 held=0\n"
                       "= acq bal=4000 pend=0\n"
                       "= exceptions=0 holds=0\n"
                       "0100 stan=3 amt=10000 rrn=B -> 00\n"
                       "0220 stan=4 amt=10000 rrn=B -> 00\n"
                       "= k1 bal=99986000 held=0\n"
                       "= exceptions=0\n"
                       "0100 stan=5 amt=10000 rrn=C -> 00\n"
                       "0220 stan=6 amt=15000 rrn=C -> 00\n"
                       "= k1 bal=99971000 held=0\n"
                       "= exceptions=1 over_hold=1\n"
                       "0220 stan=7 amt=100 rrn=D -> 00\n"
                       "= exceptions=2 forced=1\n"
                       "= k1 bal=99970900\n"
                       "# a second completion finds no hold any more\n"
                       "0220 stan=8 amt=100 rrn=A -> 00\n"
                       "= exc forced=2\n"
                       "0220 stan=8 amt=100 rrn=A -> 00 replay\n"
                       "= exc forced=2\n"
                       "# without DE37 nothing can be matched, and ours comes back\n"
                       "0100 stan=9 amt=10 -> 00\n"
                       "0220 stan=10 amt=10 -> 00 ourrrn\n"
                       "= exc forced=3\n"
                       "# DE38 has to be that of the hold, when it is sent\n"
                       "0100 stan=11 amt=70 rrn=E -> 00\n"
                       "0220 stan=12 amt=70 rrn=E de38=NOTIT1 -> 00\n"
                       "= exc forced=4\n"
                       "0120 k=2 stan=13 amt=70 rrn=F de38=HOST01 -> 00\n"
                       "0220 k=2 stan=14 amt=60 rrn=F de38=HOST01 -> 00\n"
                       "= exc forced=4\n"
                       "= k2 bal=99999940 held=0\n"
                       "# completing with zero releases\n"
                       "0100 k=3 stan=15 amt=70 rrn=G -> 00\n"
                       "0220 k=3 stan=16 amt=0 rrn=G -> 00\n"
                       "= k3 bal=100000000 held=0\n"
                       "= exc forced=4 below_zero=0\n");
}

Test(plan, advices)
{
    run("advices", "0120 k=5 stan=1 amt=5000 rrn=A -> 00\n"
                   "= k5 bal=100 held=5000\n"
                   "= exc below_zero=1 exceptions=1\n"
                   "# replaces the hold, never doubles it\n"
                   "0120 k=5 stan=2 amt=60 rrn=A -> 00\n"
                   "= k5 held=60\n"
                   "= holds=1 exceptions=1\n"
                   "0100 stan=3 amt=900 rrn=B -> 00\n"
                   "0120 stan=4 amt=1000 rrn=B -> 00\n"
                   "= k1 held=1000\n"
                   "# nothing stands of the message whose hold was replaced\n"
                   "0420 stan=5 de90=100:3:1121030003 -> 00\n"
                   "= k1 held=1000\n"
                   "0420 stan=6 de90=120:4:1121030004 -> 00\n"
                   "= k1 held=0\n"
                   "# told of a decline: only recorded\n"
                   "0120 stan=7 amt=1000 de39=05 -> 00\n"
                   "0220 stan=8 amt=1000 de39=51 -> 00\n"
                   "= k1 bal=100000000 held=0\n"
                   "= exceptions=1\n"
                   "# neither card nor account, expiry, PIN, limits, funds are looked at\n"
                   "block 1 -> done\n"
                   "freeze 1 -> done\n"
                   "0220 stan=9 amt=1000 rrn=C exp=1111 over -> 00\n"
                   "= k1 bal=99999000\n"
                   "0220 k=4 stan=10 amt=1000 rrn=C -> 00\n"
                   "= k4 bal=99999000\n"
                   "0220 k=5 stan=11 amt=1000 rrn=D -> 00\n"
                   "= k5 bal=-900\n"
                   "= exc below_zero=2 forced=3\n"
                   "# what cannot be booked moves nothing\n"
                   "0220 k=77 stan=12 -> 00\n"
                   "0220 deny stan=13 -> 00\n"
                   "0120 noroute stan=14 -> 00\n"
                   "0120 cur57 cur=840 stan=15 -> 00\n"
                   "0220 luhn stan=16 -> 00\n"
        "0220 k=77 de39=05 -> 00\n"
                   "= exc not_booked=5\n"
                   "= k1 bal=99999000 held=0\n"
                   "# a refund told, not asked: 13 and 25 are not looked at\n"
                   "0220 p=20 stan=17 amt=500 de90=200:999:1121030999 -> 00\n"
                   "= exc unmatched=1\n"
                   "= k1 bal=99999500\n"
                   "0220 k=2 stan=18 amt=100 rrn=P -> 00\n"
                   "0220 k=2 p=20 stan=19 amt=150 rrn=P -> 00\n"
                   "= k2 bal=100000050\n"
                   "0420 k=2 stan=20 de90=220:18:1121030018 -> 00\n"
                   "= k2 bal=100000050\n"
                   "0220 stan=12 k=77 amt=1 -> 94 reason=KEY_USED\n"
                   "0120 stan=30 amt=0 rrn=Z -> 00\n"
                   "= k1 held=0\n");
}

/* ---- reversals ------------------------------------------------------------------------------- */

Test(plan, reversals)
{
    run("reversals",
        "0100 stan=1 amt=10000 -> 00\n"
        "0400 stan=2 de90=100:1:1121030001 remains=6000 -> 00 norrn\n"
        "= k1 held=6000\n"
        "# again, to the same: moves nothing; then the rest; then nothing\n"
        "0400 stan=3 de90=100:1:1121030001 remains=6000 -> 00\n"
        "0400 stan=4 de90=100:1:1121030001 remains=7000 -> 00\n"
        "= k1 held=6000\n"
        "0400 stan=5 de90=100:1:1121030001 -> 00\n"
        "= k1 held=0\n"
        "= holds=0\n"
        "0420 stan=6 de90=100:1:1121030001 -> 00\n"
        "0100 stan=1 amt=10000 -> 94 reversed reason=REVERSED\n"
        "0101 stan=1 amt=10000 de7=1 -> 94 reversed\n"
        "# posted: counter-posted, whatever the state of card and account, even below zero\n"
        "0200 k=5 stan=10 amt=100 -> 00\n"
        "0200 k=5 stan=11 p=20 amt=300 -> 00\n"
        "0200 k=5 stan=12 amt=250 -> 00\n"
        "= k5 bal=50\n"
        "block 5 -> done\n"
        "freeze 5 -> done\n"
        "0420 k=5 stan=13 de90=200:11:1121030011 -> 00\n"
        "= k5 bal=-250\n"
        "= exc below_zero=1\n"
        "0420 k=5 stan=14 de90=200:10:1121030010 remains=40 -> 00\n"
        "= k5 bal=-190\n"
        "0200 k=5 stan=10 amt=100 -> 94 reversed\n"
        "# a transfer goes back on both sides\n"
        "0200 stan=20 p=40 amt=700 to=card/2 -> 00\n"
        "0400 stan=21 de90=200:20:1121030020 -> 00\n"
        "= k1 bal=100000000\n"
        "= k2 bal=100000000\n"
        "# declined: nothing moves, and its repeat gets the stored decision\n"
        "0200 stan=30 amt=999999999 -> 51\n"
        "0400 stan=31 de90=200:30:1121030030 -> 00\n"
        "0200 stan=30 amt=999999999 -> 51 replay\n"
        "# approved in part\n"
        "open 5 -> done\n"
        "thaw 5 -> done\n"
        "give card/5 290\n"
        "0100 k=5 stan=40 amt=900 partial -> 10 amount=100\n"
        "0400 k=5 stan=41 de90=100:40:1121030040 remains=30 -> 00\n"
        "= k5 held=30\n"
        "# a reversal repeated gets its own stored answer\n"
        "0400 k=5 stan=41 de90=100:40:1121030040 remains=30 -> 00 replay\n"
        "0401 k=5 stan=41 de90=100:40:1121030040 -> 94 reason=KEY_USED\n"
        "# an advice reversed: its repeat still gets the stored 00\n"
        "0220 stan=50 amt=10 rrn=Q -> 00\n"
        "0420 stan=51 de90=220:50:1121030050 -> 00\n"
        "= k1 bal=100000000\n"
        "0221 stan=50 amt=10 rrn=Q -> 00 replay\n"
        "= k1 bal=100000000\n");
}

Test(plan, reversals_of_completed)
{
    run("completed", "0100 stan=1 amt=10000 rrn=A -> 00\n"
                     "0220 stan=2 amt=8000 rrn=A -> 00\n"
                     "0400 stan=3 de90=100:1:1121030001 -> 21 reason=COMPLETED\n"
                     "0400 stan=3 de90=100:1:1121030001 -> 21\n"
                     "= k1 bal=99992000 held=0\n"
                     "= exc completed=0\n"
                     "0420 stan=4 de90=100:1:1121030001 -> 00\n"
                     "= k1 bal=99992000\n"
                     "= exc completed=1\n"
                     "0100 stan=1 amt=10000 rrn=A -> 00 replay\n"
                     "# the completion is what has to be reversed; the hold does not come back\n"
                     "0420 stan=5 de90=220:2:1121030002 -> 00\n"
                     "= k1 bal=100000000 held=0\n"
                     "0420 stan=6 de90=220:2:1121030002 -> 00\n"
                     "= k1 bal=100000000\n");
}

Test(plan, reversals_by_rrn)
{
    run("by rrn", "0100 stan=1 amt=500 rrn=A -> 00\n"
                  "0200 stan=2 amt=300 rrn=A p=1 -> 00\n"
                  "# without DE90: the latest with the same DE3\n"
                  "0400 stan=3 rrn=A p=0 -> 00\n"
                  "= k1 bal=99999700 held=0\n"
                  "0400 stan=4 rrn=A p=1 -> 00\n"
                  "= k1 bal=100000000\n"
                  "# unknown: remembered, by DE37 and DE3\n"
                  "0400 stan=5 rrn=B p=0 -> 00\n"
                  "= exc unmatched=1\n"
                  "= tombstones=1\n"
                  "0200 stan=6 rrn=B p=1 -> 00\n"
                  "0200 stan=7 rrn=B p=0 -> 94 reversed\n"
                  "replay\n"
                  "0200 stan=8 rrn=B p=0 -> 94 reversed\n");
}

Test(plan, reversal_before_original)
{
    run("tombstones", "0400 stan=1 de90=100:2:1121030002 t=0 -> 00\n"
                      "= exc unmatched=1\n"
                      "0100 stan=2 cvv2=ok -> 94 reversed cvv2=-\n"
                      "= k1 held=0\n"
                      "# its repeat, whatever the DE7: by its key, by its MTI\n"
                      "0100 stan=2 de7=1121039999 cvv2=ok -> 94 reversed\n"
                      "0101 stan=2 de7=1121039998 t=99 -> 94 reversed\n"
                      "# another one with this STAN is not meant\n"
                      "0100 stan=2 de7=1121039997 t=98 -> 00\n"
                      "= k1 held=10000\n"
                      "# the first that comes has another DE7 than the one the reversal names\n"
                      "0420 stan=10 de90=200:11:1121030011 t=11 -> 00\n"
                      "0200 stan=11 de7=1121044444 t=11 -> 94 reversed\n"
                      "0420 stan=12 de90=200:13:1121030013 rrn=R t=0 -> 00\n"
                      "0200 stan=13 de7=1121044444 rrn=S t=13 -> 00\n"
                      "0200 stan=13 de7=1121044444 rrn=R t=13 -> 94 reversed\n"
                      "# advices: 00, and nothing moves\n"
                      "0420 stan=20 de90=220:21:1121030021 -> 00\n"
                      "0220 stan=21 amt=70 -> 00\n"
                      "0221 stan=21 amt=70 de7=5 -> 00 replay\n"
                      "= k1 bal=99990000 held=10000\n"
                      "= exc forced=0\n"
                      "# cannot be booked\n"
                      "0420 k=77 stan=30 de90=200:31:1121030031 -> 00\n"
                      "= exc not_booked=1 unmatched=4\n"
                      "# a tombstone is kept as long as every decision\n"
                      "tick 172000\n"
                      "replay\n"
                      "0200 stan=11 de7=1121030011 t=12 -> 94 reversed\n");
}

/* ---- repeats --------------------------------------------------------------------------------- */

Test(plan, repeats)
{
    run("repeats", "0100 stan=1 cvv2=ok -> 00 cvv2=M\n"
                   "0100 stan=1 cvv2=wrong -> 00 cvv2=M replay\n"
                   "0101 stan=1 de7=1121030900 -> 00 cvv2=M replay\n"
                   "= k1 held=10000\n"
                   "0100 stan=1 amt=10001 -> 94 reason=KEY_USED\n"
                   "0100 stan=1 p=1 -> 94\n"
                   "0200 stan=1 -> 00\n"
                   "# a decline is repeated too\n"
                   "0200 stan=2 amt=999999999 -> 51\n"
                   "give card/1 999999999\n"
                   "0200 stan=2 amt=999999999 -> 51 replay\n"
                   "# a part, with its amounts\n"
                   "0100 k=5 stan=3 amt=900 partial -> 10 amount=100 avail=900\n"
                   "0100 k=5 stan=3 amt=900 partial -> 10 amount=100 avail=900 replay\n"
                   "# a reversal may name any of the last four DE7\n"
                   "0100 stan=10 de7=1 -> 00\n"
                   "0101 stan=10 de7=2 -> 00\n"
                   "0101 stan=10 de7=3 -> 00\n"
                   "0101 stan=10 de7=3 -> 00\n"
                   "0101 stan=10 de7=4 -> 00\n"
                   "0101 stan=10 de7=5 -> 00\n"
                   "= k1 held=20000\n"
                   "replay\n"
                   "0400 stan=11 de90=100:10:2 -> 00\n"
                   "= k1 held=10000\n"
                   "0100 stan=12 de7=1 -> 00\n"
                   "0101 stan=12 de7=2 -> 00\n"
                   "0101 stan=12 de7=3 -> 00\n"
                   "0101 stan=12 de7=4 -> 00\n"
                   "0101 stan=12 de7=5 -> 00\n"
                   "0101 stan=12 de7=6 -> 00\n"
                   "0400 stan=13 de90=100:12:2 -> 00\n"
                   "= k1 held=20000\n"
                   "= exc unmatched=1\n"
                   "0400 stan=14 de90=100:12:1 -> 00\n"
                   "= k1 held=10000\n"
                   "# the tombstone of DE7 2 is there now; a DE7 of zeros is one\n"
                   "0100 stan=15 de7=7 -> 00\n"
                   "0101 stan=15 de7=0 -> 00\n"
                   "0400 stan=16 de90=100:15:0 -> 00\n"
                   "= k1 held=10000\n");
}

Test(plan, refunds)
{
    run("refunds",
        "0200 stan=1 amt=1000 rrn=A -> 00\n"
        "0200 stan=2 p=20 amt=1001 de90=200:1:1121030001 -> 13 reason=REFUND_TOO_HIGH\n"
        "0200 stan=3 p=20 amt=400 de90=200:1:1121030001 -> 00\n"
        "0200 stan=4 p=20 amt=601 rrn=A -> 13\n"
        "0200 stan=5 p=20 amt=100 rrn=A -> 00\n"
        "= k1 bal=99999500\n"
        "0400 stan=6 de90=200:1:1121030001 remains=300 -> 00\n"
        "= k1 bal=99999700\n"
        "0200 stan=7 p=20 amt=301 rrn=A -> 13\n"
        "# a refund that is reversed can be given again\n"
        "0400 stan=8 de90=200:3:1121030003 -> 00\n"
        "0200 stan=9 p=20 amt=700 rrn=A -> 00\n"
        "= k1 bal=100000000\n"
        "# of an authorization: what its completion posted\n"
        "0100 stan=10 amt=500 rrn=B -> 00\n"
        "0200 stan=11 p=20 amt=1 de90=100:10:1121030010 -> 13\n"
        "0220 stan=12 amt=450 rrn=B -> 00\n"
        "0200 stan=13 p=20 amt=451 de90=100:10:1121030010 -> 13\n"
        "0200 stan=14 p=20 amt=450 de90=100:10:1121030010 -> 00\n"
        "0200 stan=15 p=20 amt=1 rrn=B -> 13\n"
        "# no such purchase: any amount; named and not there: 25; declined: nothing to refund\n"
        "0200 stan=16 p=20 amt=99 rrn=C -> 00\n"
        "0200 stan=17 p=20 amt=99 de90=200:99:1121030099 -> 25\n"
        "0200 stan=18 p=20 amt=99 de90=200:16:1121030016 -> 25\n"
        "0200 stan=19 amt=999999999 rrn=D -> 51\n"
        "0200 stan=20 p=20 amt=1 rrn=D -> 13\n"
        "0100 stan=21 p=20 amt=5000 de90=200:1:1121030001 -> 13\n"
        "= k1 bal=100000099\n");
}

Test(plan, stale_and_busy)
{
    run("stale", "0100 version=0 -> stale\n"
                 "0100 version=1 -> 00\n"
                 "block 1 -> done\n"
                 "0100 version=1 -> stale\n"
                 "0100 version=2 -> 62\n"
                 "0200 k=77 version=0 -> 14\n"
                 "list -> done\n"
                 "0100 k=2 ref=1 -> stale\n"
                 "0220 k=2 ref=1 -> stale\n"
                 "0200 fwd=a k=40 ref=1 -> stale\n"
                 "0100 k=2 -> 00\n"
                 "# what was decided is answered by whatever snapshot\n"
                 "0200 k=2 stan=9 -> 00\n"
                 "0200 k=2 stan=9 ref=1 version=0 -> 00 replay\n"
                 "full on\n"
                 "0200 k=2 stan=10 -> busy reason=BUSY\n"
                 "0420 k=2 stan=11 de90=200:9:1121030009 -> busy\n"
                 "full off\n"
                 "0200 k=2 stan=10 -> 00\n");
}

Test(plan, nothing_is_forgotten_early)
{
    static struct shop shop;
    struct ledger_limits limits = {.cards_max = 8,
                                   .accounts_max = 16,
                                   .holds_max = 3,
                                   .txns_max = 8,
                                   .replays_max = 8,
                                   .counter_slots_max = 2,
                                   .saf_max = 2,
                                   .exceptions_max = 2};
    shop_open_limits(&shop, "limits", &limits);
    shop_run(&shop, "0200 stan=1 -> 00\n"
                    "0200 stan=2 -> 00\n"
                    "0200 stan=3 fwd=a k=40 -> forward\n"
                    "late 3 -> 91\n"
                    "0100 stan=4 amt=1 -> 00\n"
                    "0100 stan=5 amt=1 -> 00\n"
                    "0100 stan=6 amt=1 -> 00\n"
                    "# no place for a hold: BUSY, and nothing is taken\n"
                    "0100 stan=7 amt=1 -> busy\n"
                    "0220 stan=7 amt=1 rrn=Z -> 00\n"
                    "0220 stan=8 amt=1 rrn=Y -> 00\n"
                    "= txns=8 exceptions=2\n"
                    "0200 stan=9 -> busy\n"
                    "tick 172799\n"
                    "0200 stan=9 -> busy\n"
                    "0200 stan=1 -> 00 replay\n"
                    "tick 1\n"
                    "0200 stan=9 -> 00\n"
                    "0200 stan=10 -> 00\n"
                    "# the unknown one is not forgotten: its row is passed over\n"
                    "0200 stan=11 -> 00\n"
                    "= txns=8 unknown=1\n"
                    "0200 stan=3 fwd=a k=40 -> 91 replay\n"
                    "# exceptions are full\n"
                    "0220 stan=12 amt=1 rrn=X -> busy\n"
                    "# the hold outlived its transaction\n"
                    "= k1 held=3\n"
                    "replay\n"
                    "pull a -> item mti=420\n"
                    "ack a -> done\n"
                    "= unknown=0 saf=0\n"
                    "# counters: two rows, then only those whose window has passed\n"
                    "0200 k=1 stan=20 count=9 -> 00\n"
                    "0200 k=2 stan=21 count=9 -> 00\n"
                    "0200 k=3 stan=22 count=9 -> busy\n"
                    "tick 7300\n"
                    "0200 k=3 stan=22 count=9 -> 00\n");
    shop_close(&shop);
}

/* ---- forwarded ------------------------------------------------------------------------------- */

Test(plan, forwarded)
{
    run("forwarded", "0100 fwd=a k=40 stan=1 amt=700 rrn=A cvv2=ok -> forward to=a\n"
                     "= demo-a bal=0 held=700\n"
                     "= acq bal=0 pend=700\n"
                     "= open=1 saf=0\n"
                     "0100 fwd=a k=40 stan=1 amt=700 rrn=A -> wait\n"
                     "0100 fwd=a k=40 stan=1 amt=701 rrn=A -> 94\n"
                     "out 1 approved -> 00 de38=SCHEME cvv2=P date=1121 wake=00 reason=SCHEME\n"
                     "= demo-a held=700\n"
                     "= open=0 holds=1\n"
                     "0100 fwd=a k=40 stan=1 amt=700 rrn=A -> 00 replay de38=SCHEME\n"
                     "out 1 approved -> silent\n"
                     "late 1 -> silent\n"
                     "0220 fwd=a k=40 stan=2 amt=600 rrn=A -> 00\n"
                     "= demo-a bal=-600 held=0\n"
                     "= acq bal=600 pend=0\n"
                     "= saf=1\n"
                     "pull a -> item mti=220 sends=1 relay=\n"
                     "pull a -> none\n"
                     "pull a back -> item mti=220 sends=2\n"
                     "ack a -> done\n"
                     "ack a -> done\n"
                     "= saf=0\n"
                     "0200 fwd=b k=40 stan=3 amt=50 -> forward to=b\n"
                     "out 3 declined=05 -> 05\n"
                     "= demo-b bal=0 held=0\n"
                     "0200 fwd=b k=40 stan=3 amt=50 -> 05 replay\n"
                     "0200 fwd=b k=40 stan=4 amt=50 -> forward\n"
                     "out 4 approved -> 00\n"
                     "= demo-b bal=-50 held=0\n"
                     "= acq bal=650 pend=0\n"
                     "# a part, and the rest of the reservation is gone\n"
                     "0100 fwd=a k=40 stan=5 amt=900 rrn=P partial -> forward\n"
                     "out 5 part=300 -> 10 amount=300\n"
                     "= demo-a held=300\n"
                     "0200 fwd=a k=40 stan=6 amt=900 rrn=P2 -> forward\n"
                     "out 6 part=1000 -> 10\n"
                     "= demo-a bal=-1500 held=300\n"
                     "# ours to say\n"
                     "0200 fwd=a k=40 deny -> 59\n"
                     "0200 fwd= k=40 -> 15\n"
                     "0200 fwd=a k=40 luhn -> 14\n"
                     "0200 fwd=a k=40 cur57 -> 57\n"
                     "0200 fwd=a k=40 p=31 -> 57\n"
                     "0200 fwd=a k=40 amt=0 -> 13\n"
                     "0200 fwd=a k=40 over -> 61\n"
                     "0200 fwd=a k=40 notrans cvv2=ok -> 86 reason=NO_TRANSLATE cvv2=P\n"
                     "0200 fwd=z k=40 -> 96\n"
                     "= open=0 saf=0\n"
                     "0200 fwd=a k=40 stan=8 amt=5 -> forward\n"
                     "out 8 notsent attempt=1 -> 91 reason=NOT_SENT\n"
                     "0200 fwd=a k=40 stan=9 amt=5 -> forward\n"
                     "out 9 technical -> 91 reason=NO_ANSWER\n"
                     "= demo-a bal=-1500 held=300\n");
}

Test(plan, silence)
{
    run("silence", "0100 fwd=a k=40 stan=1 amt=700 rrn=A count=1 -> forward\n"
                   "0100 fwd=a k=40 stan=2 amt=700 count=1 -> 65\n"
                   "late 1 -> 91 reason=NO_ANSWER wake=91\n"
                   "= demo-a held=700\n"
                   "= open=0 unknown=1 saf=1 holds=0\n"
                   "0100 fwd=a k=40 stan=1 amt=700 rrn=A -> 91 replay\n"
                   "# the late answer changes nothing\n"
                   "out 1 approved -> silent\n"
                   "= demo-a held=700\n"
                   "0400 fwd=a k=40 stan=3 de90=100:1:1121030001 -> 00\n"
                   "= saf=1\n"
                   "0100 fwd=a k=40 stan=1 amt=700 rrn=A -> 91 replay\n"
                   "pull a -> item mti=420 sends=1 names=1\n"
                   "replay\n"
                   "pull a -> item mti=420 sends=2 names=1\n"
                   "ack a -> done\n"
                   "= demo-a held=0\n"
                   "= acq pend=0\n"
                   "= unknown=0 saf=0\n"
                   "0100 fwd=a k=40 stan=1 amt=700 rrn=A -> 91 replay\n"
                   "0200 fwd=b k=40 stan=4 amt=9 count=1 -> forward\n"
                   "late 4 -> 91\n"
                   "= demo-b held=9\n"
                   "pull b -> item mti=400\n"
                   "ack b -> done\n"
                   "= demo-b held=0\n");
}

Test(plan, routes)
{
    run("routes",
        "# not sent, technical, silent: on to the next where the endpoint's policy allows\n"
        "0100 fwd=ab k=40 stan=1 amt=700 rrn=A -> forward to=a\n"
        "out 1 notsent -> forward to=b\n"
        "= demo-a held=0\n"
        "= demo-b held=700\n"
        "out 1 approved attempt=1 -> silent\n"
        "out 1 approved -> 00\n"
        "= demo-b held=700\n"
        "= holds=1 saf=0\n"
        "0200 fwd=ab k=40 stan=2 amt=5 -> forward to=a\n"
        "out 2 technical -> forward to=b\n"
        "out 2 technical -> 91\n"
        "= demo-b held=700 bal=0\n"
        "0100 fwd=ab k=40 stan=3 amt=60 rrn=B count=1 -> forward to=a\n"
        "late 3 -> forward to=b\n"
        "= demo-a held=60\n"
        "= demo-b held=760\n"
        "= saf=1 holds=2 open=1\n"
        "out 3 approved -> 00\n"
        "pull a -> item mti=420\n"
        "ack a -> done\n"
        "= demo-a held=0\n"
        "= demo-b held=760\n"
        "0200 fwd=ba k=40 stan=4 amt=5 -> forward to=b\n"
        "late 4 -> 91\n"
        "0200 fwd=ab k=41 stan=5 amt=5 count=1 -> forward to=a\n"
        "late 5 -> forward to=b\n"
        "late 5 -> 91\n"
        "= saf=3 unknown=2\n"
        "pull a -> item\n"
        "ack a -> done\n"
        "pull b -> item names=4\n"
        "ack b -> done\n"
        "pull b -> item names=5\n"
        "ack b -> done\n"
        "= saf=0 unknown=0\n"
        "= demo-a held=0\n"
        "= demo-b held=760\n"
        "0200 fwd=a k=41 stan=6 amt=5 count=1 -> forward\n");
}

Test(plan, reversal_while_out)
{
    run("while out", "0200 fwd=a k=40 stan=1 amt=700 cvv2=ok -> forward\n"
                     "0200 fwd=a k=40 stan=1 amt=700 cvv2=ok -> wait\n"
                     "0400 fwd=a k=40 stan=2 de90=200:1:1121030001 remains=100 -> 00 wake=94\n"
                     "= saf=1 unknown=1 open=0\n"
                     "0200 fwd=a k=40 stan=1 amt=700 cvv2=ok -> 94 reversed cvv2=-\n"
                     "out 1 approved -> silent\n"
                     "= demo-a held=700 bal=0\n"
                     "0400 fwd=a k=40 stan=3 de90=200:1:1121030001 -> 00\n"
                     "= saf=1\n"
                     "pull a -> item mti=420 names=1\n"
                     "ack a -> done\n"
                     "= demo-a held=0 bal=0\n"
                     "# acknowledged before the answer comes\n"
                     "0100 fwd=a k=40 stan=4 amt=700 -> forward\n"
                     "0420 fwd=a k=40 stan=5 de90=100:4:1121030004 -> 00\n"
                     "pull a -> item\n"
                     "ack a -> done\n"
                     "out 4 approved -> silent\n"
                     "late 4 -> silent\n"
                     "= demo-a held=0 bal=0\n"
                     "= holds=0 saf=0 exceptions=0\n");
}

Test(plan, reversal_of_forwarded)
{
    run("reversal forwarded",
        "0100 fwd=a k=40 stan=1 amt=700 -> forward\n"
        "out 1 approved -> 00\n"
        "0400 fwd=a k=40 stan=2 de90=100:1:1121030001 remains=300 -> 00\n"
        "= demo-a held=300\n"
        "pull a -> item mti=420 names=1 remains=300 relay=\n"
        "ack a -> done\n"
        "0400 fwd=a k=40 stan=3 de90=100:1:1121030001 -> 00\n"
        "= demo-a held=0\n"
        "= saf=1\n"
        "pull a -> item names=1\n"
        "ack a -> done\n"
        "0400 fwd=a k=40 stan=4 de90=100:1:1121030001 -> 00\n"
        "= saf=0\n"
        "0200 fwd=a k=40 stan=5 amt=9 -> forward\n"
        "out 5 declined=05 -> 05\n"
        "0400 fwd=a k=40 stan=6 de90=200:5:1121030005 -> 00\n"
        "= saf=0\n"
        "# before its original: never goes out\n"
        "0400 fwd=a k=40 stan=7 de90=200:8:1121030008 -> 00\n"
        "0200 fwd=a k=40 stan=8 amt=9 -> 94 reversed\n"
        "0420 fwd=a k=40 stan=9 de90=220:10:1121030010 -> 00\n"
        "0220 fwd=a k=40 stan=10 amt=9 -> 00\n"
        "= saf=0\n"
        "= demo-a bal=0 held=0\n"
        "# an advice that was delivered is reversed with its own leg's values\n"
        "0120 fwd=a k=40 stan=11 amt=9 rrn=Q -> 00\n"
        "= demo-a held=9\n"
        "0420 fwd=a k=40 stan=12 de90=120:11:1121030011 -> 00\n"
        "= demo-a held=0\n"
        "= saf=2\n"
        "pull a -> item mti=120\n"
        "pull a -> item mti=420\n"
        "0220 fwd= k=40 stan=13 amt=9 -> 00\n"
        "0220 fwd=a k=40 stan=14 amt=9 de39=05 -> 00\n"
        "= saf=3\n"
        "= exc not_booked=1\n"
        "= demo-a bal=0 held=0\n");
}

Test(plan, refunds_forwarded)
{
    run("refunds forwarded", "0200 fwd=a k=40 stan=1 amt=700 rrn=A -> forward\n"
                             "0200 fwd=a k=40 stan=2 p=20 amt=1 rrn=A -> 13\n"
                             "out 1 approved -> 00\n"
                             "0200 fwd=a k=40 stan=3 p=20 amt=500 rrn=A -> forward\n"
                             "= demo-a bal=-700\n"
                             "= acq held=500 bal=700\n"
                             "# what is out is taken: no second refund of it\n"
                             "0200 fwd=a k=40 stan=4 p=20 amt=201 rrn=A -> 13\n"
                             "out 3 declined=05 -> 05\n"
                             "0200 fwd=a k=40 stan=5 p=20 amt=700 rrn=A -> forward\n"
                             "out 5 approved -> 00\n"
                             "= demo-a bal=0\n"
                             "= acq bal=0 held=0\n"
                             "0200 fwd=a k=40 stan=6 p=20 amt=5 de90=200:9:9 -> 25\n"
                             "# the authorization of a refund reserves nothing\n"
                             "0100 fwd=a k=40 stan=7 p=20 amt=5 -> forward\n"
                             "= demo-a held=0\n"
                             "out 7 approved -> 00\n"
                             "0400 fwd=a k=40 stan=8 de90=100:7:1121030007 -> 00\n"
                             "= saf=1 holds=0\n"
                             "0200 fwd=a k=40 stan=9 p=20 amt=30 -> forward\n"
                             "late 9 -> 91\n"
                             "= acq held=30\n"
                             "pull a -> item\n"
                             "ack a -> done\n"
                             "pull a -> item\n"
                             "ack a -> done\n"
                             "= acq held=0\n");
}

Test(plan, restart)
{
    run("restart", "0100 fwd=a k=40 stan=1 amt=700 rrn=A -> forward\n"
                   "0200 fwd=b k=40 stan=2 amt=50 count=1 -> forward\n"
                   "0200 fwd=b k=41 stan=3 amt=60 -> forward\n"
                   "out 3 approved -> 00\n"
                   "0200 k=1 stan=4 amt=60 -> 00\n"
                   "restart\n"
                   "= open=0 unknown=2 saf=2 holds=0\n"
                   "= demo-a held=700\n"
                   "out 1 approved -> silent\n"
                   "0100 fwd=a k=40 stan=1 amt=700 rrn=A -> 91 replay\n"
                   "0200 fwd=b k=40 stan=5 amt=50 count=1 -> forward\n"
                   "pull a -> item mti=420 names=1\n"
                   "ack a -> done\n"
                   "pull b -> item mti=400 names=2\n"
                   "ack b -> done\n"
                   "= demo-a held=0\n"
                   "= demo-b held=50\n"
                   "0200 k=1 stan=4 amt=60 -> 00 replay\n");
}

/* ---- all reasons ----------------------------------------------------------------------------- */

/* BUSY, MALFUNCTION and everything in between: each row of reason.def is some test's answer. The
 * scripts above run one test a process, so this one says the shortest line for each again. */
Test(plan, every_reason)
{
    static struct shop shop;
    shop_open(&shop, "reasons");
    shop_run(&shop, "0200 stan=1 -> 00\n0200 stan=1 amt=2 -> 94\n"
                    "0400 stan=2 de90=200:1:1121030001 -> 00\n0200 stan=1 -> 94\n"
                    "0200 deny -> 59\n0200 noroute -> 15\n0200 luhn -> 14\n"
                    "0200 p=40 to=none -> 14\n0200 k=4 -> 54\n0200 exp=1 -> 54\n"
                    "lost 2 -> done\n0200 k=2 -> 41\nstolen 2 -> done\n0200 k=2 -> 43\n"
                    "block 2 -> done\n0200 k=2 -> 62\nopen 2\nfreeze 2\n0200 k=2 -> 62\n"
                    "0200 pin=wrong -> 55\n0200 pin=bad -> 55\n0200 pin=down -> 96\n"
                    "0200 pin=wrong -> 55\n0200 pin=wrong -> 75\n0200 cvv=wrong -> 82\n"
                    "0200 cvv2=wrong -> 82\n0200 cvv=down -> 96\n0200 not57 -> 57\n"
                    "0200 amt=0 -> 13\n0200 stan=5 rrn=A -> 00\n0200 p=20 rrn=A amt=20000 -> 13\n"
                    "0200 p=20 de90=200:9:9 -> 25\n0100 stan=6 rrn=B -> 00\n"
                    "0220 stan=7 rrn=B -> 00\n0400 de90=100:6:1121030006 -> 21\n0200 over -> 61\n"
                    "0200 fwd=a notrans -> 86\n0200 k=3 count=1 -> 00\n0200 k=3 count=1 -> 65\n"
                    "0200 k=5 amt=500 -> 51\n0200 k=5 amt=500 partial -> 10\n"
                    "0100 amt=0 verify -> 85\n0200 stan=8 fwd=a -> forward\nout 8 approved -> 00\n"
                    "0200 stan=9 fwd=a -> forward\nlate 9 -> 91\n"
                    "0200 stan=10 fwd=a -> forward\nout 10 notsent -> 91\n"
                    "full on\n0200 -> busy\nfull off\n0200 party=5 -> 96\n");
    for (uint16_t reason = 0; reason < LEDGER_REASONS_COUNT; reason++) {
        cr_expect(shop.seen_reasons >> reason & 1, "no test produces %s",
                  ledger_reason_name(reason));
    }
    shop_close(&shop);
}

Test(plan, reasons_are_tested_in_the_order_of_their_table)
{
    cr_assert(plan_reasons_in_order());
}

/* An amount that no account can hold moves nothing and is answered 96. */
Test(plan, amounts_that_do_not_fit)
{
    static struct shop shop;
    shop_open(&shop, "overflow");
    shop_run(&shop, "give card/1 9223372036754775807 -> refused\n"
                    "give settlement/acquirer 9223372036000000000 -> done\n"
                    "= acq bal=9223372036000000000\n"
                    "0220 stan=1 amt=854775808 -> 96 reason=MALFUNCTION\n"
                    "0200 stan=2 amt=99999999 -> 00\n"
                    "0220 stan=3 amt=999999999999 -> 96\n"
                    "= k1 bal=1\n");
    shop_close(&shop);
}
