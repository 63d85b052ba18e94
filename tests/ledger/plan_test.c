/* plan_test.c - contract section 7 as tables: requests on our cards, reasons, limits. See shop.h.
 */
#include "shop.h"

#include <criterion/criterion.h>

/* ---- requests on our cards ------------------------------------------------------------------- */

Test(plan, requests)
{
    shop_story("requests", "0100 stan=1 amt=10000 -> 00 reason=APPROVED date=1121 ourrrn\n"
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
    shop_story("declines",
               "0100 deny amt=0 -> 59 reason=DENY_LIST date=0\n"
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
    shop_story("precedence", "0100 k=77 deny noroute luhn over -> 59\n"
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
    shop_story("pin", "0100 pin=wrong -> 55 reason=PIN_WRONG\n"
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
    shop_story("counts", "0200 stan=1 count=3 -> 00\n"
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

Test(plan, stale_and_busy)
{
    shop_story("stale", "0100 version=0 -> stale\n"
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
